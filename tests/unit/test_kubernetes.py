"""The manifests of deploy/kubernetes are valid, and run what the Procfile runs."""

import shlex

import kubernetes_validate
import pytest
import yaml

from config.metrics import ALL
from config.settings import Settings
from tests.blocks import ROOT

BASE = ROOT / "deploy" / "kubernetes" / "base"
EXAMPLE = ROOT / "deploy" / "kubernetes" / "overlays" / "example"
VERSIONS = ("1.30", "1.33", "1.37")
PORTS = {
    "grpc": "otel_grpc_port",
    "http": "otel_http_port",
    "api": "api_port",
    "flower": "flower_port",
}
PROCESSES = (*PORTS, "worker", "beat")


def documents():
    for path in sorted(BASE.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                yield path.name, document


def settings_of(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line)


DOCUMENTS = list(documents())
BUILT_IN = {
    f"{document['kind']} {document['metadata']['name']}": document
    for _, document in DOCUMENTS
    # KEDA's own kinds are not in Kubernetes' schemas.
    if not document["apiVersion"].startswith("keda.sh/")
}


def find(kind, name):
    [found] = [d for _, d in DOCUMENTS if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def pods():
    for _, document in DOCUMENTS:
        if document["kind"] in {"Deployment", "Job"}:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers():
    for name, pod in pods():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{name} {container['name']}", container


PODS, CONTAINERS = dict(pods()), dict(containers())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", list(BUILT_IN.values()), ids=BUILT_IN)
def test_a_manifest_fits_the_schema_of_kubernetes(document, version):
    kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_with_a_misspelt_field_is_found_out():
    wrong = find("Deployment", "sheaf-beat")
    wrong = wrong | {"spec": wrong["spec"] | {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_is_in_the_kustomization():
    base = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    files = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(base["resources"]) == files


@pytest.mark.parametrize("name", PROCESSES)
def test_each_deployment_runs_what_the_procfile_runs(procfile, name):
    started = procfile[name].rpartition("&& ")[2].removeprefix("exec ")
    [container] = find("Deployment", f"sheaf-{name}")["spec"]["template"]["spec"]["containers"]
    command = container["command"]
    if name == "beat":
        # The folder of Sheaf's files is the only one that can be written.
        assert command[-2:] == ["--schedule", "/data/beat-schedule"]
        command = command[:-2]
    assert command == shlex.split(started)


def test_the_job_and_each_worker_migrate_first_as_in_the_procfile(procfile):
    before, _, _ = procfile["worker"].partition(" && ")
    [job] = find("Job", "sheaf-migrate")["spec"]["template"]["spec"]["containers"]
    worker = find("Deployment", "sheaf-worker")["spec"]["template"]["spec"]
    assert job["command"] == worker["initContainers"][0]["command"] == shlex.split(before)


@pytest.mark.parametrize("name", PORTS)
def test_ports_services_and_probes_agree_with_the_settings(name):
    port = Settings.model_fields[PORTS[name]].default
    deployment, service = find("Deployment", f"sheaf-{name}"), find("Service", f"sheaf-{name}")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    [opened] = container["ports"]
    [published] = service["spec"]["ports"]
    assert opened["containerPort"] == published["port"] == port
    assert published["targetPort"] == opened["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe].get("grpc") or container[probe].get("httpGet")
        asked = asked or container[probe]["tcpSocket"]
        assert asked["port"] in {port, opened["name"]}


def test_probes_ask_the_paths_that_docker_compose_asks(composition):
    for name in ("http", "api", "flower"):
        [container] = find("Deployment", f"sheaf-{name}")["spec"]["template"]["spec"]["containers"]
        path = container["readinessProbe"]["httpGet"]["path"]
        assert f"{path}'" in composition["services"][name]["healthcheck"]["test"][-1]


def test_every_setting_exists_and_every_secret_is_one_that_is_not_shown():
    known = {name.upper(): field for name, field in Settings.model_fields.items()}
    settings, secrets = settings_of(BASE / "settings.env"), EXAMPLE / "secret.env.example"
    assert set(settings) <= set(known)
    hidden = {name for name in settings_of(secrets) if name != "REDIS_URL"}
    assert all(known[name].repr is False for name in hidden)
    assert not any(known[name].repr is False for name in settings)


def test_the_settings_are_accepted():
    made = settings_of(BASE / "settings.env") | {"SECRET_KEY": "x" * 32, "REDIS_URL": "redis://b"}
    accepted = Settings(**{name.lower(): value for name, value in made.items()})
    assert accepted.auth == "keys"


@pytest.mark.parametrize("container", list(CONTAINERS.values()), ids=CONTAINERS)
def test_a_container_has_no_rights_and_writes_only_where_a_volume_is(container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    settings = settings_of(BASE / "settings.env")
    assert {settings["DATA_DIR"], "/tmp"} <= mounted
    writes_exports = container["name"] in {"worker", "api"}
    assert (settings["EXPORT_DIR"] in mounted) == writes_exports
    assert "limits" in container["resources"]


@pytest.mark.parametrize("pod", list(PODS.values()), ids=PODS)
def test_a_pod_runs_as_the_images_user_and_gets_no_settings_from_services(pod, project_root):
    user = pod["securityContext"]["runAsUser"]
    assert f"--uid {user} " in (project_root / "Dockerfile").read_text()
    # Kubernetes would set API_PORT=tcp://... for a service of this name.
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        assert {each["name"] for each in container["volumeMounts"]} == volumes


def test_there_is_exactly_one_beat_even_while_it_is_replaced():
    beat = find("Deployment", "sheaf-beat")["spec"]
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})


def test_what_is_scaled_has_no_number_of_its_own():
    scaled = set()
    for _, document in DOCUMENTS:
        if document["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}:
            scaled.add(document["spec"]["scaleTargetRef"]["name"])
    assert scaled == {"sheaf-grpc", "sheaf-http", "sheaf-worker"}
    for name in scaled:
        assert "replicas" not in find("Deployment", name)["spec"]


def test_workers_follow_a_metric_that_sheaf_exposes():
    [trigger] = find("ScaledObject", "sheaf-worker")["spec"]["triggers"]
    fields = Settings.model_fields
    assert trigger["metadata"]["valueLocation"] in {metric.exposed_name for metric in ALL}
    at_a_time = fields["log_batch_size"].default * fields["worker_threads"].default
    assert int(trigger["metadata"]["targetValue"]) == at_a_time
    assert trigger["metadata"]["url"].endswith(f".svc:{fields['api_port'].default}/metrics")
    authentication = find("TriggerAuthentication", trigger["authenticationRef"]["name"])
    [secret] = authentication["spec"]["secretTargetRef"]
    example = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    [made] = [each for each in example["secretGenerator"] if each["name"] == secret["name"]]
    assert made["options"] == {"disableNameSuffixHash": True}
    assert set(settings_of(EXAMPLE / "metrics.env.example")) == {secret["key"]}


def test_policies_budgets_and_patches_name_what_is_there():
    deployments = {d["metadata"]["name"] for _, d in DOCUMENTS if d["kind"] == "Deployment"}
    for _, document in DOCUMENTS:
        if document["kind"] in {"NetworkPolicy", "PodDisruptionBudget"}:
            spec = document["spec"]
            labels = spec.get("podSelector", spec.get("selector")).get("matchLabels", {})
            assert set(labels.values()) <= deployments
    example = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    for patch in example["patches"]:
        assert find(patch["target"]["kind"], patch["target"]["name"])
    for generated in example["configMapGenerator"]:
        names = {each.split("=")[0].lower() for each in generated["literals"]}
        assert names <= set(Settings.model_fields)


def test_policies_open_the_ports_of_the_doors_and_the_api_alone():
    opened = set()
    for _, document in DOCUMENTS:
        if document["kind"] == "NetworkPolicy":
            for rule in document["spec"].get("ingress", []):
                opened |= {each["port"] for each in rule["ports"]}
    ports = ("otel_grpc_port", "otel_http_port", "api_port")
    assert opened == {Settings.model_fields[name].default for name in ports}
