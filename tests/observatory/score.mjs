// Reads pages as JSON lines, and writes for each what the HTTP Observatory's own tests say of it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.join(process.argv[2], "node_modules/@mdn/mdn-http-observatory/src");
const load = (name) => import(pathToFileURL(path.join(folder, name)));
const { CookieJar } = createRequire(path.join(folder, "x"))("tough-cookie");
const tests = {
  ...(await load("analyzer/tests/csp.js")),
  ...(await load("analyzer/tests/cookies.js")),
  ...(await load("analyzer/tests/referrer-policy.js")),
  ...(await load("analyzer/tests/strict-transport-security.js")),
  ...(await load("analyzer/tests/subresource-integrity.js")),
  ...(await load("analyzer/tests/x-content-type-options.js")),
  ...(await load("analyzer/tests/x-frame-options.js")),
  ...(await load("analyzer/tests/cross-origin-resource-policy.js")),
};
const { getGradeForScore, getScoreModifier } = await load("grader/grader.js");

function requests(page) {
  const headers = {};
  for (const [name, value] of page.headers) (headers[name] ??= []).push(value);
  const url = new URL(`https://${page.host}/`);
  const jar = new CookieJar();
  for (const cookie of headers["set-cookie"] ?? []) jar.setCookieSync(cookie, url.href, { loose: true });
  const httpEquiv = new Map();
  for (const [name, content] of page.meta) httpEquiv.set(name, [...(httpEquiv.get(name) ?? []), content]);
  headers.get = (name) => headers[name]?.[0] ?? null;
  const response = { headers, httpEquiv, status: 200, verified: true, url };
  return {
    hostname: page.host,
    session: { url, jar },
    resources: { path: page.text },
    responses: { auto: response, https: response, http: null, cors: null, httpRedirects: [], httpsRedirects: [] },
  };
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const seen = requests(JSON.parse(line));
  const found = Object.values(tests).filter((t) => typeof t === "function" && t.name.endsWith("Test"));
  const results = found.map((test) => test(seen).result);
  const modifiers = results.map(getScoreModifier);
  const plain = 100 + modifiers.filter((m) => m < 0).reduce((a, b) => a + b, 0);
  const all = 100 + modifiers.reduce((a, b) => a + b, 0);
  console.log(JSON.stringify({ results: results.sort(), ...getGradeForScore(plain >= 90 ? all : plain) }));
}
