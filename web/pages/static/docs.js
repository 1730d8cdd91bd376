import { byId, element } from "./dom.js";

const { openapi, doors: doorsAddress } = document.documentElement.dataset;
const [spec, doors] = await Promise.all([openapi, doorsAddress].map((address) =>
  fetch(address).then((response) => response.json())));

function resolved(schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? spec.components.schemas[name] ?? {} : schema ?? {};
}

function type(schema) {
  const { type: name = "any", items, enum: values } = resolved(schema);
  if (values) return values.join(" | ");
  return name === "array" ? `${type(items)}[]` : name;
}

/** Text with links to pages of the documentation. */
function linked(text) {
  return text.split(/(docs\/[a-z-]+\.md)/).map((piece, place) =>
    (place % 2 ? element("a", { href: `/${piece}` }, piece) : piece));
}

/** Text with `code` and links. */
function prose(text) {
  const pieces = text.split("`").flatMap((piece, place) =>
    (place % 2 ? [element("code", {}, piece)] : linked(piece)));
  return element("span", {}, ...pieces);
}

function rule(schema) {
  const { minimum, maximum, minLength, maxLength, default: fallback } = schema;
  const parts = [];
  if (minimum !== undefined || maximum !== undefined) parts.push(`${minimum ?? ""}–${maximum ?? ""}`);
  if (maxLength !== undefined) parts.push(`${minLength ?? 0}–${maxLength} characters`);
  if (fallback !== undefined) parts.push(`default ${fallback}`);
  return parts.join(", ");
}

function table(headings, rows) {
  const cells = (name, values) => values.map((value) => element(name, name === "th" ? { scope: "col" } : {}, value));
  return element("table", {}, element("thead", {}, element("tr", {}, ...cells("th", headings))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))));
}

function fieldsTable(schema) {
  const { properties = {}, required = [] } = resolved(schema);
  return table(["Field", "Type", "Meaning"], Object.entries(properties).map(([name, field]) => [
    element("code", {}, name, required.includes(name) ? element("span", { class: "required", title: "always present" }, " *") : ""),
    type(field), prose([resolved(field).description ?? field.description, rule(field)].filter(Boolean).join(" – ")),
  ]));
}

/** Tables of a schema and of the schemas within it. */
function answerTables(schema, title) {
  const nested = Object.entries(resolved(schema).properties ?? {})
    .map(([name, field]) => [name, field.items?.$ref ? field.items : (field.allOf?.[0] ?? field)])
    .filter(([, field]) => field.$ref);
  return [element("h3", {}, title), fieldsTable(schema),
    ...nested.flatMap(([name, field]) => answerTables(field, name))];
}

function parameterRow(parameter) {
  const input = element("input", { name: parameter.name, "data-in": parameter.in, "aria-label": parameter.name, autocomplete: "off", spellcheck: "false" });
  return [
    element("code", {}, parameter.name, parameter.required ? element("span", { class: "required", title: "required" }, " *") : ""),
    type(parameter.schema), prose([parameter.description, rule(parameter.schema ?? {})].filter(Boolean).join(" – ")), input,
  ];
}

async function send(path, method, form, output) {
  const query = new URLSearchParams();
  let filled = path;
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") filled = filled.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(input.name, input.value);
  }
  const body = form.querySelector("textarea")?.value;
  const address = query.size ? `${filled}?${query}` : filled;
  output.hidden = false;
  output.textContent = "…";
  try {
    const response = await fetch(address, { method, body, headers: body === undefined ? {} : { "Content-Type": "application/json" } });
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
    output.textContent = `${method} ${address}\n${response.status} ${response.statusText}\n\n${shown.slice(0, 20000)}`;
  } catch {
    output.textContent = "The server cannot be reached.";
  }
}

function endpoint(path, method, operation, shared) {
  const output = element("pre", { hidden: true, "aria-label": "Response", tabindex: "0" });
  const form = element("form", {});
  const parts = [];
  const parameters = [...shared, ...(operation.parameters ?? [])];
  if (parameters.length) parts.push(element("h3", {}, "Parameters"), table(["Name", "Type", "Meaning", "Value"], parameters.map(parameterRow)));
  const body = operation.requestBody?.content["application/json"]?.schema;
  if (body) parts.push(element("h3", {}, "JSON body"), fieldsTable(body),
    element("textarea", { "aria-label": "JSON body", spellcheck: "false" }, '{"limit": 10}'));
  const wrap = element("div", { class: "inside" }, ...parts, element("button", { type: "submit", class: "primary" }, "Send"));
  form.append(wrap);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(path, method.toUpperCase(), form, output); });
  const answers = Object.entries(operation.responses).filter(([status]) => /^\d/.test(status));
  const good = operation.responses["200"]?.content?.["application/json"]?.schema;
  return element("details", {},
    element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path), element("span", {}, operation.summary ?? "")),
    form, element("div", { class: "inside" }, output, element("h3", {}, "Responses"),
      table(["Status", "Meaning"], answers.map(([status, answer]) => [status, prose(answer.description ?? answer.$ref?.split("/").pop().replaceAll("_", " ").toLowerCase() ?? "")])),
      ...(good ? answerTables(good, "Response 200") : [])));
}

function answersTable(operation) {
  return table(["Status", "Meaning"], Object.entries(operation.responses)
    .map(([status, answer]) => [status, prose(answer.description)]));
}

/** A command that sends the request. */
function command(path, method, operation) {
  const [kind, body] = Object.entries(operation.requestBody?.content ?? {}).find(([, { example }]) => example) ?? [];
  const sent = body ? ` -H 'Content-Type: ${kind}' -d '${JSON.stringify(body.example)}'` : "";
  return method === "get" || body ? [element("pre", {}, `curl ${doors.servers[0].url}${path}${sent}`)] : [];
}

function door(path, method, operation) {
  const kinds = Object.keys(operation.requestBody?.content ?? {});
  return element("details", {},
    element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path), element("span", {}, operation.summary)),
    element("div", { class: "inside" },
      ...(operation.description ? [element("p", {}, prose(operation.description))] : []),
      ...(kinds.length ? [element("p", {}, `Content-Type: ${kinds.join(", ")}`)] : []),
      ...command(path, method, operation), element("h3", {}, "Responses"), answersTable(operation)));
}

byId("doors").replaceChildren(element("h2", {}, `${doors.tags[0].description}: ${doors.servers[0].url}`),
  element("p", {}, "OpenAPI 3 description: ", element("a", { href: doorsAddress }, "openapi-doors.json")),
  ...Object.entries(doors.paths).flatMap(([path, methods]) => Object.entries(methods)
    .map(([method, operation]) => door(path, method, operation))));

const groups = (spec.tags ?? []).map((tag) => [element("h2", {}, tag.description ?? tag.name),
  ...Object.entries(spec.paths).flatMap(([path, methods]) => Object.entries(methods)
    .filter(([, operation]) => operation.tags?.includes(tag.name))
    .map(([method, operation]) => endpoint(path, method, operation, methods.parameters ?? [])))]);
byId("endpoints").replaceChildren(...groups.flat());
