SELECT "ProcessName", count(*) FROM {T} WHERE regexp_matches("CommandLine", '(?i)(^|[^\pL\pN])(whoami|wmic|encodedcommand)($|[^\pL\pN])') GROUP BY 1
