SELECT "AccountType", "Level", sum("BytesSent"), avg("Score"), max("Duration"), min("LogonType") FROM {T} GROUP BY 1, 2
