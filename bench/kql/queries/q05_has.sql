SELECT "Computer", count(*) FROM {T} WHERE regexp_matches("CommandLine", '(?i)(^|[^\pL\pN])whoami($|[^\pL\pN])') GROUP BY 1
