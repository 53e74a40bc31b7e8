"""Sends 7,000 records of the service $1 through OpenTelemetry's SDK and its exporter for OTEL_EXPORTER_OTLP_PROTOCOL, which
nothing but the environment points at picket, and counts them in OTelLogs."""
import os
import sys

from azure.identity import EnvironmentCredential
from azure.monitor.query import LogsQueryClient
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

N, service = 7000, sys.argv[1]
provider = LoggerProvider(resource=Resource.create({"service.name": service, "service.namespace": "web", "host.name": "web1"}))
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(timeout=60), max_queue_size=2 * N))
log = provider.get_logger("orders", "1.0")
for i in range(N):
    log.emit(LogRecord(
        timestamp=1_795_000_000_000_000_000 + i * 1_000_000, severity_number=SeverityNumber.WARN if i % 2 else SeverityNumber.ERROR, severity_text="warning",
        body={"order": i} if i % 7 == 0 else f"order {i} was refused", attributes={"n": i, "ratio": i / 4, "ok": i % 2 == 0, "tags": ["a", "b"]},
    ))
assert provider.force_flush(120_000)
provider.shutdown()

client = LogsQueryClient(EnvironmentCredential(), endpoint=os.environ["PICKET_ENDPOINT"])


def rows(text):
    return [list(x) for x in client.query_workspace(os.environ["PICKET_WORKSPACE_ID"], text, timespan=None).tables[0].rows]


got = rows(f"OTelLogs | where ServiceName == '{service}' | summarize count(), count_distinct(tolong(Attributes.n)), countif(SeverityNumber == 13), sum(toreal(Attributes.ratio)), countif(ServiceNamespace == 'web' and RoleName == 'web.{service}')")
assert got == [[N, N, N // 2, N * (N - 1) / 8, N]], got
got = rows(f"OTelLogs | where ServiceName == '{service}' and tolong(Attributes.n) in (6, 7) | sort by TimeGenerated asc | project Body, tostring(Attributes.tags), unixtime_milliseconds_todatetime(1795000000000 + tolong(Attributes.n)) == TimeGenerated")
assert got == [["order 6 was refused", '["a","b"]', True], ['{"order":7}', '["a","b"]', True]], got
print("ok records")
