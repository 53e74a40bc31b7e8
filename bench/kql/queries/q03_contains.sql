SELECT "Computer", count(*) FROM {T} WHERE contains(lower("CommandLine"), 'mimikatz') GROUP BY 1
