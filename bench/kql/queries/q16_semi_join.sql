SELECT "Account", count(*) FROM {T} WHERE "EventID" = 4624 AND "Account" IN (SELECT "Account" FROM {T} WHERE contains(lower("CommandLine"), 'mimikatz')) GROUP BY 1
