package lake

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	EventFull     EventKind = "full"     // the disk is full: rows are refused
	EventRoom     EventKind = "room"     // rows are taken again
	EventReopened EventKind = "reopened" // the database was opened anew after an error
	EventPutOff   EventKind = "put off"  // a step of housekeeping failed and is tried again
	EventMended   EventKind = "mended"   // an unfinished commit was cut off the log after a power cut
	EventUpgraded EventKind = "upgraded" // the folder has a newer format now
	EventDemoted  EventKind = "demoted"  // a promotion failed on stored rows and was dropped
	EventPurged   EventKind = "purged"   // a purge came to its end, well or not
)

// Event is something about the lake that who runs it should know.
type Event struct {
	Kind   EventKind
	Table  string // "" for the whole lake
	Detail string // a sentence
}

const eventQueue = 256

// tell hands an event to Options.Event, later and one after the other; what is too much is left out.
func (l *Lake) tell(kind EventKind, table, detail string) {
	select {
	case l.events <- Event{Kind: kind, Table: table, Detail: detail}:
	default:
	}
}

func (l *Lake) tellEvents() {
	for {
		select {
		case e := <-l.events:
			if l.o.Event != nil {
				l.o.Event(e)
			}
		case <-l.quit:
			return
		}
	}
}
