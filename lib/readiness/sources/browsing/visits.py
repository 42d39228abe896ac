"""Load pages in Chromium and write down what the browser itself measured.

    python -m readiness.sources.browsing.visits PLAN RESULT

PLAN is a JSON file: browser, options, timeout_s, visits [{url, profile, contains}]. RESULT is
written anew after each visit, so that what was seen is kept when time runs out. Paint, layout shift
and long tasks come from the Performance APIs (W3C Paint Timing, Layout Instability, Long Tasks);
transferred bytes from the network layer, as it counted them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

QUIET_MS = 500  # without a long task or a request: the page has come to rest
PROFILES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1350, "height": 940}, "cpu": 1, "network": None},
    # Lighthouse's mobile: a slow phone on slow 4G.
    "mobile": {
        "viewport": {"width": 412, "height": 823},
        "cpu": 4,
        "network": {"latency": 150, "downloadThroughput": 204_800, "uploadThroughput": 93_750},
    },
}
OBSERVE = """
window.__seen = {lcp: 0, cls: 0, longest: 0, tasks: [], changed: performance.now()};
const watch = (type, note) => {
  try { new PerformanceObserver(list => list.getEntries().forEach(note))
          .observe({type, buffered: true}); } catch (e) {}
};
watch('largest-contentful-paint', e => { __seen.lcp = Math.max(__seen.lcp, e.startTime); });
watch('layout-shift', e => { if (!e.hadRecentInput) __seen.cls += e.value; });
watch('longtask', e => { __seen.tasks.push([e.startTime, e.duration]);
                         __seen.changed = performance.now(); });
watch('resource', e => { __seen.changed = performance.now(); });
"""
READ = """() => {
  const nav = performance.getEntriesByType('navigation')[0] || {};
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const fcp = paint ? paint.startTime : null;
  const blocked = __seen.tasks.filter(t => t[0] + t[1] > (fcp || 0))
                              .reduce((sum, t) => sum + Math.max(0, t[1] - 50), 0);
  return {fcp_ms: fcp, lcp_ms: __seen.lcp || null, cls: __seen.cls, tbt_ms: blocked,
          load_ms: nav.loadEventEnd || null, ttfb_ms: nav.responseStart || null,
          text: document.body ? document.body.innerText.slice(0, 20000) : ''};
}"""
RESTED = "() => document.readyState === 'complete' ? performance.now() - __seen.changed : 0"


def visit(browser: Any, wanted: dict[str, Any], timeout_ms: float) -> dict[str, Any]:
    """One load with an empty cache; ``problem`` says why it is no measurement."""
    profile = PROFILES[wanted["profile"]]
    context = browser.new_context(viewport=profile["viewport"], service_workers="block")
    seen: dict[str, Any] = {**wanted, "problem": "", "hosts": {}, "bytes": 0, "requests": 0}
    try:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Emulation.setCPUThrottlingRate", {"rate": profile["cpu"]})
        if profile["network"]:
            limits = {"offline": False, **profile["network"]}
            session.send("Network.emulateNetworkConditions", limits)

        def finished(event: dict[str, Any]) -> None:
            seen["bytes"] += int(event["encodedDataLength"])

        def sent(event: dict[str, Any]) -> None:
            host = urlsplit(event["request"]["url"]).netloc
            seen["requests"] += 1
            seen["hosts"][host] = seen["hosts"].get(host, 0) + 1

        session.on("Network.loadingFinished", finished)
        session.on("Network.requestWillBeSent", sent)
        page.add_init_script(OBSERVE)
        answer = page.goto(wanted["url"], timeout=timeout_ms, wait_until="load")
        status = answer.status if answer else None
        if status is None or not 200 <= status < 300:
            return seen | {"problem": f"answered {status}"}
        until = time.monotonic() + timeout_ms / 1000
        # Asked again and again from here: the page's own policy may forbid a script that waits.
        while page.evaluate(RESTED) < QUIET_MS and time.monotonic() < until:
            page.wait_for_timeout(100)
        read = page.evaluate(READ)
        text = read.pop("text")
        seen |= read
        if read["fcp_ms"] is None:
            seen["problem"] = "nothing was painted"
        elif wanted["contains"] and wanted["contains"] not in text:
            seen["problem"] = "does not show the text it should"
        return seen
    except Exception as broke:
        return seen | {"problem": str(broke).splitlines()[0][:200]}
    finally:
        context.close()


def main(plan_file: str, result_file: str) -> None:
    from playwright.sync_api import sync_playwright

    plan = json.loads(Path(plan_file).read_text())
    told: dict[str, Any] = {"visits": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=plan["browser"], args=plan["options"], headless=True
        )
        told["version"] = browser.version
        for wanted in plan["visits"]:
            told["visits"].append(visit(browser, wanted, plan["timeout_s"] * 1000))
            Path(result_file).write_text(json.dumps(told))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
