"""The files under deploy/ that watch the service: they are well formed, and speak of numbers that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from config.metrics import METRICS, PATH

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
BOARDS = {path.name: json.loads(path.read_text()) for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")}
# What Prometheus adds to every sample it fetches.
ADDED = {"instance", "job"}
WORDS = {
    "and", "or", "by", "on", "sum", "min", "max", "topk", "rate", "increase", "histogram_quantile",
}  # fmt: skip
SUFFIXES = ("_bucket", "_sum", "_count")


def alerts():
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def panels():
    return [panel for board in BOARDS.values() for panel in board["panels"] if panel["type"] != "row"]


def expressions():
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in alerts()] + shown


def labels_of(name):
    """The labels of a series, or None where there is no such name."""
    if name == "up":
        return ADDED
    for suffix in SUFFIXES:
        whole = name.removesuffix(suffix)
        if whole != name and whole in METRICS and METRICS[whole].kind == "histogram":
            return {*METRICS[whole].labels, *ADDED, *(["le"] if suffix == "_bucket" else [])}
    known = METRICS.get(name)
    return {*known.labels, *ADDED} if known and known.kind != "histogram" else None


def read_expression(expression):
    """Every series' name with the labels chosen by, the labels grouped by, and what else is named."""
    texts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    texts = re.sub(r"\[[^]]*\]", "", texts)
    grouped = {
        label for found in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", texts) for label in re.findall(r"\w+", found)
    }
    texts = re.sub(r"\b(by|on)\s*\([^)]*\)", r"\1", texts)
    series = re.findall(r"\b(whyral_\w+|up)\b(?:\{([^}]*)\})?", texts)
    chosen = [(name, set(re.findall(r"(\w+)\s*[=!]", selector))) for name, selector in series]
    rest = re.sub(r"\b(whyral_\w+|up)\b(\{[^}]*\})?", "", texts)
    return chosen, grouped, set(re.findall(r"[A-Za-z_]\w*", rest))


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_what_there_is(expression):
    series, grouped, words = read_expression(expression)
    assert series
    assert [name for name, _ in series if labels_of(name) is None] == []
    assert [(name, chosen) for name, chosen in series if not chosen <= labels_of(name)] == []
    assert grouped <= set.union(*(labels_of(name) for name, _ in series))
    assert words <= WORDS


def test_the_reader_of_expressions_sees_mistakes():
    series, grouped, words = read_expression('sum by (rout) (rate(whyral_request_seconds{statsu="5xx"}[5m])) / whyrl_x')
    assert labels_of(series[0][0]) is None
    assert series[0][1] == {"statsu"}
    assert grouped == {"rout"}
    assert "whyrl_x" in words


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert len(rule["annotations"]["runbook"]) > 60
    used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    _, grouped, _ = read_expression(rule["expr"])
    assert used <= grouped


def test_alerts_have_names_of_their_own():
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_asks_the_provisioned_source_and_its_legends_have_their_labels(name):
    provisioned = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())
    source = provisioned["datasources"][0]["uid"]
    board = BOARDS[name]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in [panel for panel in board["panels"] if panel["type"] != "row"]:
        assert panel["datasource"]["uid"] == source
        for target in panel["targets"]:
            _, grouped, _ = read_expression(target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped


def test_dashboards_have_addresses_of_their_own_and_no_panels_lie_on_each_other():
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 4
    for board in BOARDS.values():
        places = [panel["gridPos"] for panel in board["panels"]]
        fields = [
            (x, y)
            for at in places
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert len(fields) == len(set(fields))
        assert max(x for x, _ in fields) < 24


def test_prometheus_asks_where_the_numbers_are():
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert {job.get("metrics_path", "/metrics") for job in jobs} == {PATH}
    assert [job["params"]["only"] for job in jobs] == [["shared"], ["local"]]


def test_the_compose_files_agree():
    whole = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
    more = yaml.safe_load((DEPLOY / "monitoring.yml").read_text())
    assert not whole["services"].keys() & more["services"].keys()
    for service in more["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert (DEPLOY.parent / source).exists() if source.startswith(".") else source in more["volumes"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed here")
def test_promtool_finds_nothing():
    rules, config = DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "prometheus" / "prometheus.yml"
    subprocess.run(["promtool", "check", "rules", rules], check=True, capture_output=True)
    subprocess.run(["promtool", "check", "config", "--syntax-only", config], check=True, capture_output=True)
