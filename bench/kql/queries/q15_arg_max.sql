SELECT "Account", max("TimeGenerated"), arg_max("Activity", "TimeGenerated"), arg_max("IpAddress", "TimeGenerated") FROM {T} GROUP BY 1
