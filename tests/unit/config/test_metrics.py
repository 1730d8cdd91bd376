from config import metrics


def test_every_metric_is_documented_with_its_meaning(project_root):
    page = (project_root / "docs" / "monitoring.md").read_text(encoding="utf-8")
    for metric in metrics.ALL:
        row = f"| `{metric.exposed_name}` | {', '.join(metric.labels)} | {metric.meaning} |"
        assert row in page.splitlines()


def test_the_page_documents_no_metric_that_is_not_there(project_root):
    page = (project_root / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    documented = {row.split("`")[1] for row in rows}
    assert documented == {metric.exposed_name for metric in metrics.ALL}
