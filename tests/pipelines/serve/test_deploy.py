# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What examples/ has for systemd, Docker and Kubernetes: each file is one for its tool, and the command in it serves.
No engine of containers and no cluster is asked."""
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys

import pytest
import yaml

from chat import free_port, serving

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
UNIT = EXAMPLES / "systemd" / "gst-moshi@.service"
DOCKERFILE = EXAMPLES / "docker" / "Dockerfile"
COMPOSE = EXAMPLES / "docker" / "compose.yaml"
KUBERNETES = EXAMPLES / "kubernetes" / "gst-moshi.yaml"
HAPROXY_CONFIGURATION = EXAMPLES / "haproxy" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
TOOLS = pathlib.Path(sys.executable).parent


def succeed(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# ------------------------------------------------------------------------------------------ as their tools see them

@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/gst-moshi", os.environ["GST_MOSHI_TOOL"]))
    assert succeed("systemd-analyze", "verify", tmp_path / "gst-moshi@0.service") == ""


def test_the_dockerfile():
    succeed(TOOLS / "hadolint", DOCKERFILE)


def test_the_compose_file():
    succeed(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_manifests():
    succeed(TOOLS / "kubernetes-validate", "--strict", KUBERNETES)


def test_haproxy_for_kubernetes(tmp_path):
    text = succeed("sed", "-f", EXAMPLES / "kubernetes" / "haproxy.sed", HAPROXY_CONFIGURATION)
    assert len(re.findall(r"server (gst-moshi-\d) \1\.gst-moshi\.", text)) == 2
    assert "127.0.0.1:899" not in text
    (tmp_path / "haproxy.cfg").write_text(text)
    succeed(HAPROXY, "-c", "-f", tmp_path / "haproxy.cfg")


# --------------------------------------------------------------------------------------------- the commands in them

def settings_of_unit():
    return [line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"]


def command_of_unit(number):
    variables = {"OPTIONS": ""}
    for name, value in settings_of_unit():
        if name == "Environment":
            variables |= dict(pair.split("=", 1) for pair in value.split())
    command = dict(settings_of_unit())["ExecStart"].replace("%i", str(number))
    return shlex.split(re.sub(r"\$\{?([A-Z]+)\}?", lambda match: variables[match[1]], command))[1:]


def command_of_service(number):
    return yaml.safe_load(COMPOSE.read_text())["services"][f"moshi-{number}"]["command"]


def pod_template():
    documents = yaml.safe_load_all(KUBERNETES.read_text())
    return next(entry for entry in documents if entry["kind"] == "StatefulSet")["spec"]["template"]["spec"]


def command_of_pod():
    return [argument.replace("$(NODE)", "gst-moshi-0") for argument in pod_template()["containers"][0]["args"]]


def options_of(command):
    assert command[0] == "serve"
    return dict(zip(command[1::2], command[2::2], strict=True))


@pytest.mark.parametrize("command", [command_of_unit(1), command_of_service(0), command_of_service(1), command_of_pod()])
def test_the_command_serves(command):
    """The embedded model, at ports that are free."""
    options = options_of(command)
    del options["--model"]
    for option, value in options.items():
        if option.endswith("-port"):
            options[option] = free_port()
        elif value == "0.0.0.0":
            options[option] = "localhost"
    words = [word for option in options.items() for word in option if option[0] != "--port"]
    with serving(*words, port=options.get("--port")), \
            socket.create_connection(("localhost", options["--agent-port"])) as agent:
        assert agent.recv(100) == b"up ready 100%\n"


@pytest.mark.parametrize("command_of", [command_of_unit, command_of_service])
def test_haproxy_finds_them(command_of):
    servers = re.findall(r"server (\S+) 127\.0\.0\.1:(\d+) agent-port (\d+)", HAPROXY_CONFIGURATION.read_text())
    assert len(servers) == 2
    for number, server in enumerate(servers):
        options = options_of(command_of(number))
        assert (options["--node"], options["--port"], options["--agent-port"]) == server


def test_conversations_may_end_before_the_server_is_killed():
    commands = (command_of_unit(0), command_of_service(0), command_of_service(1), command_of_pod())
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    graces = (dict(settings_of_unit())["TimeoutStopSec"], services["moshi-0"]["stop_grace_period"],
              services["moshi-1"]["stop_grace_period"], pod_template()["terminationGracePeriodSeconds"])
    for command, grace in zip(commands, graces):
        assert int(str(grace).rstrip("s")) > int(options_of(command)["--drain-seconds"])
