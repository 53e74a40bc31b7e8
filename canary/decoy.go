package canary

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/brianvoe/gofakeit/v7"
)

// decoyField makes one column of a decoy table.
type decoyField struct {
	name  string // as the user picks it
	title string // heading
	num   bool   // right-aligned
	make  func(f *gofakeit.Faker, r *rand.Rand, row *decoyPerson) string
}

// decoyPerson keeps the values of one row consistent.
type decoyPerson struct {
	first, last, company string
	addr                 *gofakeit.AddressInfo
}

func decoyFields() []decoyField {
	digits := func(r *rand.Rand, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		if b[0] == '0' {
			b[0] = '1' + byte(r.IntN(9))
		}
		return string(b)
	}
	word := func(s string) string {
		return strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, strings.ToLower(s))
	}
	return []decoyField{
		{"account_number", "Account No.", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return digits(r, 10) }},
		{"customer_id", "Customer ID", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return "C-" + digits(r, 6) }},
		{"first_name", "First name", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.first }},
		{"last_name", "Last name", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.last }},
		{"full_name", "Name", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.first + " " + p.last }},
		{"company", "Company", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.company }},
		{"email", "E-mail", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return word(p.first) + "." + word(p.last) + "@" + word(p.company) + ".example"
		}},
		{"username", "User name", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return word(p.first[:1] + p.last) }},
		{"password", "Password", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return f.Password(true, true, true, true, false, 12)
		}},
		{"phone", "Phone", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return fmt.Sprintf("(%d) 555-01%02d", 201+r.IntN(780), r.IntN(100))
		}},
		{"street", "Street", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.addr.Street }},
		{"city", "City", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.addr.City }},
		{"state", "State", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.addr.State }},
		{"zip", "ZIP", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.addr.Zip }},
		{"country", "Country", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return p.addr.Country }},
		{"job_title", "Job title", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string { return f.JobTitle() }},
		{"salary", "Salary", true, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return thousands(38000 + r.IntN(180)*1000)
		}},
		{"balance", "Balance", true, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return fmt.Sprintf("%s.%02d", thousands(1000+r.IntN(4_000_000)), r.IntN(100))
		}},
		{"credit_limit", "Credit limit", true, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return thousands((5 + r.IntN(195)) * 1000)
		}},
		{"iban", "IBAN", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			// check digits 00 are never valid: nobody's account
			return "DE00 " + digits(r, 4) + " " + digits(r, 4) + " " + digits(r, 4) + " " + digits(r, 4) + " " + digits(r, 2)
		}},
		{"department", "Department", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return []string{"Sales", "Finance", "Operations", "Legal", "Research", "Human Resources", "Procurement", "IT"}[r.IntN(8)]
		}},
		{"account_manager", "Account manager", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return f.FirstName() + " " + f.LastName()
		}},
		{"status", "Status", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return []string{"Active", "Active", "Active", "Review", "On hold", "Renewal"}[r.IntN(6)]
		}},
		{"since", "Customer since", false, func(f *gofakeit.Faker, r *rand.Rand, p *decoyPerson) string {
			return fmt.Sprintf("%04d-%02d-%02d", 2006+r.IntN(17), 1+r.IntN(12), 1+r.IntN(28))
		}},
	}
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// DecoyFields are the names of the columns that a decoy table can have.
func DecoyFields() []string {
	var out []string
	for _, f := range decoyFields() {
		out = append(out, f.name)
	}
	return out
}

// defaultFields are a customer account list.
var defaultFields = []string{"account_number", "full_name", "company", "email", "city", "balance"}

const (
	defaultRows = 40
	maxRows     = 500
	maxFields   = 12
)

func (d *Decoy) check() error {
	if d.Rows < 0 || d.Rows > maxRows {
		return fieldErr("Decoy.Rows", "%d; the limits are 1 and %d", d.Rows, maxRows)
	}
	if len(d.Fields) > maxFields {
		return fieldErr("Decoy.Fields", "%d columns; the limit is %d", len(d.Fields), maxFields)
	}
	known := DecoyFields()
	for i, f := range d.Fields {
		if !slices.Contains(known, f) {
			return fieldErr("Decoy.Fields", "%q is not a column; there are %s", clip(f, 40), strings.Join(known, ", "))
		}
		if slices.Contains(d.Fields[:i], f) {
			return fieldErr("Decoy.Fields", "%q is there twice", f)
		}
	}
	if err := checkLine("Decoy.Title", d.Title, 200); err != nil {
		return err
	}
	return checkLine("Decoy.Text", strings.ReplaceAll(d.Text, "\n", " "), 5000)
}

// table makes the decoy's heading row and rows.
func (d Decoy) table(r *rand.Rand) (titles []string, num []bool, rows [][]string) {
	names := d.Fields
	if len(names) == 0 {
		names = defaultFields
	}
	var fs []decoyField
	all := decoyFields()
	for _, n := range names {
		for _, f := range all {
			if f.name == n {
				fs = append(fs, f)
				titles = append(titles, f.title)
				num = append(num, f.num)
			}
		}
	}
	n := d.Rows
	if n == 0 {
		n = defaultRows
	}
	fake := gofakeit.NewFaker(r, false)
	for range n {
		p := decoyPerson{first: fake.FirstName(), last: fake.LastName(), company: fake.Company(), addr: fake.Address()}
		row := make([]string, len(fs))
		for i, f := range fs {
			row[i] = f.make(fake, r, &p)
		}
		rows = append(rows, row)
	}
	return titles, num, rows
}

// proposeName makes a file name that somebody would open.
func proposeName(r *rand.Rand, ext string) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	switch r.IntN(4) {
	case 0:
		return pick("White Glove", "High Potential", "Platinum", "Key", "Strategic", "Private Client") + " " + pick("Customer Accounts", "Account List", "Clients", "Customer Contacts") + ext
	case 1:
		return pick("Project", "Initiative") + " " + pick("Moonshot", "Harbor", "Sequoia", "Granite", "Northwind", "Osprey", "Falcon") + " - " + pick("Confidential", "Deal Terms", "Investor List", "Due Diligence") + ext
	case 2:
		return pick("Payroll", "Salary Review", "Bonus Plan", "Headcount") + " " + pick("Q1", "Q2", "Q3", "Q4", "Final", "Draft v2") + ext
	default:
		return pick("Admin", "Service Account", "VPN", "Shared Mailbox") + " " + pick("Passwords", "Credentials", "Logins") + pick("", " (old)", " - do not share") + ext
	}
}
