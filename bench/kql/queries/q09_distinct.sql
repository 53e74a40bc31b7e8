SELECT "Computer", count(DISTINCT "Account") FROM {T} GROUP BY 1
