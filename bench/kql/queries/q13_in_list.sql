SELECT "EventID", "Account", count(*) n, max("TimeGenerated") FROM {T} WHERE "EventID" IN (4720, 4740, 7045, 1102) GROUP BY 1, 2 HAVING count(*) > 3
