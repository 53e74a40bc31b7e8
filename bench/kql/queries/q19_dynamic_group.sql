SELECT "Properties" ->> '$.Country' c, count(*) n FROM {T} GROUP BY 1 ORDER BY n DESC
