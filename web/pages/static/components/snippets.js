// How to send records to this server, as commands and configurations.

const { api, httpDoor, grpcDoor, needsKey } = document.documentElement.dataset;

const KEY = "<key>";

/** What names the workspace and the key: pairs of header and value. */
function headers(workspace) {
  const found = workspace && workspace !== "default" ? [["X-Workspace-Id", workspace]] : [];
  return needsKey === undefined ? found : [...found, ["Authorization", `Bearer ${KEY}`]];
}

const curl = (workspace) => [`curl ${httpDoor}${api}/ingest`,
  ...["Content-Type: application/json", ...headers(workspace).map((pair) => pair.join(": "))].map((header) => `-H '${header}'`),
  `-d '{"message": "Hello, Sheaf", "level": "info", "service": "demo"}'`].join(" \\\n     ");

function exported(workspace, endpoint, protocol) {
  // In this variable, values are encoded as in a URL.
  const pairs = headers(workspace).map(([name, value]) => `${name.toLowerCase()}=${value.replaceAll(" ", "%20")}`);
  return ["export OTEL_SERVICE_NAME=my-service", `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`,
    `export OTEL_EXPORTER_OTLP_PROTOCOL=${protocol}`, "export OTEL_LOGS_EXPORTER=otlp",
    ...(pairs.length ? [`export OTEL_EXPORTER_OTLP_HEADERS='${pairs.join(",")}'`] : [])];
}

const python = (workspace) => ["pip install opentelemetry-distro opentelemetry-exporter-otlp", "opentelemetry-bootstrap -a install", "",
  ...exported(workspace, grpcDoor, "grpc"), "export OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=true",
  "opentelemetry-instrument python app.py"].join("\n");

const node = (workspace) => ["npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node", "",
  ...exported(workspace, httpDoor, "http/protobuf"), "export NODE_OPTIONS='--require @opentelemetry/auto-instrumentations-node/register'",
  "node app.js"].join("\n");

function collector(workspace) {
  const given = headers(workspace).map(([name, value]) => `      ${name.toLowerCase()}: "${value}"`);
  return ["exporters:", "  otlp/sheaf:", `    endpoint: ${grpcDoor.replace(/^https?:\/\//, "")}`,
    ...(grpcDoor.startsWith("https") ? [] : ["    tls:", "      insecure: true"]),
    ...(given.length ? ["    headers:", ...given] : []), "service:", "  pipelines:",
    ...["logs", "traces", "metrics"].map((signal) => `    ${signal}: {receivers: [otlp], exporters: [otlp/sheaf]}`)].join("\n");
}

/** Pairs of a name and a function from the workspace to a text. */
export const SNIPPETS = [["curl", curl], ["Python", python], ["Node.js", node], ["Collector", collector]];

/** Whether senders must have a key. */
export const keyNeeded = needsKey !== undefined;
