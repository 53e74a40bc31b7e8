SELECT "Computer", count(*) FROM {T} WHERE ("Properties" ->> '$.Country') = 'KP' AND ("Properties" ->> '$.Risk')::DOUBLE > 0.8 GROUP BY 1
