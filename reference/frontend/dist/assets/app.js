// The token stays in this variable: neither a cookie nor local storage can lose it.
let token = null;

const find = (selector) => document.querySelector(selector);

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const content = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(content.detail ?? response.statusText);
  return content;
}

function show(readings) {
  find("#readings").replaceChildren(
    ...readings.map((reading) => {
      const item = document.createElement("li");
      // textContent: a question is text, whatever it looks like.
      item.textContent = `${reading.question ?? reading.question_type}: ${reading.reading_result.number}`;
      return item;
    }),
  );
}

async function enter(name) {
  find("#who").textContent = name ? `Logged in as ${name}.` : "Not logged in.";
  find("#login").hidden = Boolean(name);
  find("#oracle").hidden = !name;
  find("#problem").textContent = "";
  show(name ? await call("GET", "/api/oracle/readings?limit=5") : []);
}

find("#login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { username, password } = Object.fromEntries(new FormData(event.target));
  try {
    token = (await call("POST", "/api/auth/login", { username, password })).access_token;
    event.target.reset();
    await enter((await call("GET", "/api/users/me")).username);
  } catch (error) {
    find("#problem").textContent = error.message;
  }
});

find("#ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { question } = Object.fromEntries(new FormData(event.target));
  await call("POST", "/api/oracle/question", { question });
  event.target.reset();
  show(await call("GET", "/api/oracle/readings?limit=5"));
});

find("#logout").addEventListener("click", async () => {
  await call("POST", "/api/auth/logout");
  token = null;
  await enter(null);
});
