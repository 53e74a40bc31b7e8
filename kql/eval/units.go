package eval

import (
	"math"
	"picket/kql/value"
	"strings"
)

// unit turns an amount into the base unit of its family: base = amount*scale + shift.
type unit struct{ scale, shift float64 }

// unitFuncs are the convert_*() functions: null for units that the family does not have.
func unitFuncs(t table) {
	for name, u := range map[string]map[string]unit{
		"convert_angle": angleUnits(), "convert_energy": energyUnits(), "convert_force": forceUnits(),
		"convert_length": lengthUnits(), "convert_mass": massUnits(), "convert_speed": speedUnits(),
		"convert_temperature": temperatureUnits(), "convert_volume": volumeUnits(),
	} {
		byName := make(map[string]unit, len(u))
		for k, v := range u {
			byName[strings.ToLower(k)] = v
		}
		t.pure(name, func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
			a, from, to := reals(args[0]), texts(args[1]), texts(args[2])
			out := value.New(value.Real, n)
			for i := range out.F {
				f, ok := byName[strings.ToLower(from.at(i))]
				g, ok2 := byName[strings.ToLower(to.at(i))]
				if a.isNull(i) || !ok || !ok2 {
					out.SetNull(i)
					continue
				}
				out.F[i] = (a.at(i)*f.scale + f.shift - g.shift) / g.scale
			}
			return out, nil
		})
	}
}

func scaled(m map[string]float64) map[string]unit {
	out := make(map[string]unit, len(m))
	for k, v := range m {
		out[k] = unit{scale: v}
	}
	return out
}

func angleUnits() map[string]unit { // degree
	r := 180 / math.Pi
	return scaled(map[string]float64{
		"Arcminute": 1.0 / 60, "Arcsecond": 1.0 / 3600, "Centiradian": r * 1e-2, "Deciradian": r * 1e-1, "Degree": 1,
		"Gradian": 0.9, "Microdegree": 1e-6, "Microradian": r * 1e-6, "Millidegree": 1e-3, "Milliradian": r * 1e-3,
		"Nanodegree": 1e-9, "Nanoradian": r * 1e-9, "NatoMil": 9.0 / 160, "Radian": r, "Revolution": 360,
		"Tilt": 90, // the sine of the angle is taken as linear
	})
}

func energyUnits() map[string]unit { // joule
	const btu, ev, cal, wh = 1055.05585262, 1.602176565e-19, 4.184, 3600.0
	return scaled(map[string]float64{
		"BritishThermalUnit": btu, "KilobritishThermalUnit": btu * 1e3, "MegabritishThermalUnit": btu * 1e6,
		"GigabritishThermalUnit": btu * 1e9, "Calorie": cal, "Kilocalorie": cal * 1e3, "Megacalorie": cal * 1e6,
		"ThermEc": 105505585.262, "ThermImperial": 1.05505585257348e8, "ThermUs": 1.054804e8,
		"DecathermEc": 1055055852.62, "DecathermImperial": 1.05505585257348e9, "DecathermUs": 1.054804e9,
		"ElectronVolt": ev, "KiloelectronVolt": ev * 1e3, "MegaelectronVolt": ev * 1e6, "GigaelectronVolt": ev * 1e9,
		"TeraelectronVolt": ev * 1e12, "Erg": 1e-7, "FootPound": 1.355817948, "HorsepowerHour": 2.6845195377e6,
		"Joule": 1, "Millijoule": 1e-3, "Kilojoule": 1e3, "Megajoule": 1e6, "Gigajoule": 1e9,
		"WattHour": wh, "KilowattHour": wh * 1e3, "MegawattHour": wh * 1e6, "GigawattHour": wh * 1e9, "TerawattHour": wh * 1e12,
		"WattDay": wh * 24, "KilowattDay": wh * 24e3, "MegawattDay": wh * 24e6, "GigawattDay": wh * 24e9, "TerawattDay": wh * 24e12,
	})
}

func forceUnits() map[string]unit { // newton
	const lbf = 4.4482216152605095551842641431421
	return scaled(map[string]float64{
		"Decanewton": 10, "Dyn": 1e-5, "KilogramForce": 9.80665, "Kilonewton": 1e3, "KiloPond": 9.80665,
		"KilopoundForce": lbf * 1e3, "Meganewton": 1e6, "Micronewton": 1e-6, "Millinewton": 1e-3, "Newton": 1,
		"OunceForce": lbf / 16, "Poundal": 0.138254954376, "PoundForce": lbf, "ShortTonForce": lbf * 2000, "TonneForce": 9806.65,
	})
}

func lengthUnits() map[string]unit { // meter
	const ly, pc, inch = 9.46073047258e15, 3.08567758128e16, 0.0254
	return scaled(map[string]float64{
		"Angstrom": 1e-10, "AstronomicalUnit": 1.4959787070e11, "Centimeter": 1e-2, "Chain": 20.1168, "DataMile": 1828.8,
		"Decameter": 10, "Decimeter": 0.1, "DtpPica": inch / 6, "DtpPoint": inch / 72, "Fathom": 1.8288, "Foot": 0.3048,
		"Hand": 0.1016, "Hectometer": 100, "Inch": inch, "KilolightYear": ly * 1e3, "Kilometer": 1e3, "Kiloparsec": pc * 1e3,
		"LightYear": ly, "MegalightYear": ly * 1e6, "Megaparsec": pc * 1e6, "Meter": 1, "Microinch": inch * 1e-6,
		"Micrometer": 1e-6, "Mil": inch * 1e-3, "Mile": 1609.344, "Millimeter": 1e-3, "Nanometer": 1e-9,
		"NauticalMile": 1852, "Parsec": pc, "PrinterPica": inch / 6.02253521126760563, "PrinterPoint": inch / 72.27,
		"Shackle": 27.432, "SolarRadius": 6.95510000e8, "Twip": inch / 1440, "UsSurveyFoot": 1200.0 / 3937, "Yard": 0.9144,
	})
}

func massUnits() map[string]unit { // gram
	const lb = 453.59237
	return scaled(map[string]float64{
		"Centigram": 1e-2, "Decagram": 10, "Decigram": 0.1, "EarthMass": 5.9722e27, "Grain": lb / 7000, "Gram": 1,
		"Hectogram": 100, "Kilogram": 1e3, "Kilopound": lb * 1e3, "Kilotonne": 1e9, "LongHundredweight": lb * 112,
		"LongTon": lb * 2240, "Megapound": lb * 1e6, "Megatonne": 1e12, "Microgram": 1e-6, "Milligram": 1e-3,
		"Nanogram": 1e-9, "Ounce": lb / 16, "Pound": lb, "ShortHundredweight": lb * 100, "ShortTon": lb * 2000,
		"Slug": 14593.902937206, "SolarMass": 1.98947e33, "Stone": lb * 14, "Tonne": 1e6,
	})
}

func speedUnits() map[string]unit { // meter per second
	m := map[string]float64{"Knot": 1852.0 / 3600, "MilePerHour": 0.44704}
	for name, meters := range map[string]float64{
		"Centimeter": 1e-2, "Decimeter": 0.1, "Foot": 0.3048, "Inch": 0.0254, "Kilometer": 1e3, "Meter": 1,
		"Micrometer": 1e-6, "Millimeter": 1e-3, "Nanometer": 1e-9, "UsSurveyFoot": 1200.0 / 3937, "Yard": 0.9144,
	} {
		m[name+"PerSecond"], m[name+"PerMinute"] = meters, meters/60
		if name != "Decimeter" && name != "Micrometer" && name != "Nanometer" {
			m[name+"PerHour"] = meters / 3600
		}
	}
	return scaled(m)
}

func temperatureUnits() map[string]unit { // kelvin
	const zero = 273.15
	return map[string]unit{
		"DegreeCelsius": {1, zero}, "DegreeDelisle": {-2.0 / 3, zero + 100}, "DegreeFahrenheit": {5.0 / 9, 459.67 * 5 / 9},
		"DegreeNewton": {100.0 / 33, zero}, "DegreeRankine": {5.0 / 9, 0}, "DegreeReaumur": {1.25, zero},
		"DegreeRoemer": {40.0 / 21, zero - 7.5*40/21}, "Kelvin": {1, 0}, "MillidegreeCelsius": {1e-3, zero},
		"SolarTemperature": {5778, 0},
	}
}

func volumeUnits() map[string]unit { // cubic meter
	const gal, imp, ft = 3.785411784e-3, 4.54609e-3, 0.028316846592
	return scaled(map[string]float64{
		"AcreFoot": 1 / 0.000810714, "AuTablespoon": 2e-5, "BoardFoot": ft / 12, "Centiliter": 1e-5, "CubicCentimeter": 1e-6,
		"CubicDecimeter": 1e-3, "CubicFoot": ft, "CubicHectometer": 1e6, "CubicInch": 1.6387064e-5, "CubicKilometer": 1e9,
		"CubicMeter": 1, "CubicMicrometer": 1e-18, "CubicMile": 4168181825.44057942425292, "CubicMillimeter": 1e-9, "CubicYard": 0.764554857984,
		"Decaliter": 1e-2, "DecausGallon": gal * 10, "Deciliter": 1e-4, "DeciusGallon": gal / 10, "HectocubicFoot": ft * 100,
		"HectocubicMeter": 100, "Hectoliter": 0.1, "HectousGallon": gal * 100, "ImperialBeerBarrel": 0.16365924,
		"ImperialGallon": imp, "ImperialOunce": imp / 160, "ImperialPint": imp / 8, "KilocubicFoot": ft * 1e3, "KilocubicMeter": 1e3,
		"KiloimperialGallon": imp * 1e3, "Kiloliter": 1, "KilousGallon": gal * 1e3, "Liter": 1e-3, "MegacubicFoot": ft * 1e6,
		"MegaimperialGallon": imp * 1e6, "Megaliter": 1e3, "MegausGallon": gal * 1e6, "MetricCup": 2.5e-4, "MetricTeaspoon": 5e-6,
		"Microliter": 1e-9, "Milliliter": 1e-6, "OilBarrel": 0.158987294928, "UkTablespoon": 1.5e-5, "UsBeerBarrel": 0.117347765304,
		"UsCustomaryCup": gal / 16, "UsGallon": gal, "UsLegalCup": 2.4e-4, "UsOunce": gal / 128, "UsPint": gal / 8,
		"UsQuart": gal / 4, "UsTablespoon": gal / 256, "UsTeaspoon": gal / 768,
	})
}
