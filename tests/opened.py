"""A page in a real Chromium, with everything it asked for, complained about, or was kept from."""

from contextlib import contextmanager

PHONE = {"width": 390, "height": 844}
LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation',
  (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
"""
SIGNATURES = [
    {
        "name": "A. Auditor",
        "role": "lead auditor",
        "stage": "staging",
        "decision": "CONDITIONAL GO",
        "comment": "<b>read</b> & understood",
        "override": "the <i>old</i> service is worse",
        "time": "2026-02-17T08:00:00+00:00",
        "key_id": "ab" * 32,
    },
    {
        "name": "E. Engineer",
        "role": "engineering",
        "stage": "staging",
        "decision": "NO-GO",
        "comment": "",
        "override": "",
        "time": "2026-02-17T09:00:00+00:00",
        "key_id": "cd" * 32,
    },
]


@contextmanager
def opened(browser, path, **options):
    """A page with everything it asked for, complained about, or was kept from."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
    page = context.new_page()
    page.asked, page.said = [], []
    context.route("**/*", lambda route: route.continue_())
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.add_init_script(LISTEN)
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_timeout(400)
    page.asked = [u for u in page.asked if u != path.as_uri() and not u.startswith("blob:")]
    yield page
    context.close()
