package eval

// families is the explicit list of the tables that [Lookup] searches, one a family.
func families() []func(table) {
	return []func(table){
		logicFuncs, arithFuncs, relationFuncs, matchFuncs, regexFuncs, convertFuncs, stringFuncs,
		datetimeFuncs, binFuncs, formatFuncs, zoneFuncs,
		dynamicFuncs, arrayFuncs, setFuncs, windowFuncs,
		encodeFuncs, hashFuncs, ipFuncs, systemFuncs, mathFuncs,
		parseFuncs, specialFuncs, unitFuncs,
		seriesFuncs, seriesFillFuncs, seriesStatsFuncs, seriesFitFuncs, seriesFilterFuncs, seriesSeasonFuncs,
		sketchFuncs, punycodeFuncs,
		geoPointFuncs, geoLineFuncs, geoPolygonFuncs, geoWKTFuncs, geoH3Funcs,
	}
}
