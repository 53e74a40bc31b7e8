SELECT date_trunc('hour', "TimeGenerated") h, "EventID", count(*) n FROM {T} GROUP BY 1, 2
