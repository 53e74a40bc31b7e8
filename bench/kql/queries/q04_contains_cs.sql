SELECT count(*) FROM {T} WHERE contains("CommandLine", 'Mimikatz')
