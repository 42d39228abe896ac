"""JupyterHub's configuration: its own defaults wherever a hub on one machine can have them.

``stack.py`` passes every value that differs from run to run, secrets included, in the
environment of the process.
"""

import os
import shlex

given = os.environ
c = get_config()  # noqa: F821  (JupyterHub defines it)

c.JupyterHub.bind_url = f"http://127.0.0.1:{given['PUBLIC_PORT']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{given['HUB_PORT']}"
c.JupyterHub.db_url = given["DATABASE_URL"]
c.JupyterHub.cookie_secret_file = "cookie_secret"  # JupyterHub makes it, readable by its owner only

c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{given['PROXY_API_PORT']}"
c.ConfigurableHTTPProxy.command = shlex.split(given["PROXY_COMMAND"])
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"

# One password for everybody: nothing behind this hub is worth more than that.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = given["LOGIN_PASSWORD"]
c.Authenticator.allowed_users = {"admin", "reader"}

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{given['HOME']}/users/{{username}}"
c.Spawner.environment = {"READINESS_STACK": given["READINESS_STACK"]}  # so that `down` finds it

c.JupyterHub.services = [
    {"name": "audit", "api_token": given["API_TOKEN"]},
    {"name": "metrics", "api_token": given["METRICS_TOKEN"]},
]
c.JupyterHub.load_roles = [
    # JupyterHub's own role, with every scope
    {"name": "admin", "users": ["admin"], "services": ["audit"]},
    {"name": "metrics", "scopes": ["read:metrics"], "services": ["metrics"]},
]
