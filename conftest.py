"""Names the plugins."""

import pytest

PLUGINS = [
    "plugins.command_line.gpu",
    "plugins.command_line.options",
    "plugins.run.write_failures",
    "plugins.run.environment",
    "plugins.latency.adapter",
    "plugins.latency.benchmark_options",
    "plugins.latency.inconclusive",
    "plugins.run.bad_input",
    "plugins.command_line.outside",
    "plugins.cells.matrix",
    "plugins.cells.on_request",
    "plugins.run.progress",
    "plugins.cells.promises",
    "plugins.command_line.promise_list",
    "plugins.command_line.environment_report",
    "plugins.cells.fixtures",
    "plugins.cells.fresh",
    "plugins.golden.update",
    "plugins.serving.fixtures",
    "plugins.cells.sampling",
    "plugins.cells.compared",
    "plugins.command_line.policy_options",
    "plugins.report.rows",
    "plugins.cells.soak",
    "plugins.report.idle_gpu",
    "plugins.report.markdown",
    "plugins.report.html.options",
    "plugins.cells.not_judged",
    "plugins.run.build_warnings",
    "plugins.supervision.journal",
    "plugins.supervision.replay",
    "plugins.supervision.device_lost",
    "plugins.supervision.supervisor",
    "plugins.parallel.plan",
    "plugins.parallel.worker",
    "plugins.parallel.main",
    "plugins.process.blame",
    "plugins.process.last_exit",
    "plugins.latency.precision_claims",
    "plugins.latency.session",
    "plugins.latency.sustained",
    "plugins.latency.compare_fail",
    "plugins.against.options",
    "plugins.stored.options",
    "plugins.command_line.arguments",
    "plugins.report.matrix_page",
    "plugins.report.inputs_page",
]


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Load them here: for each name in `pytest_plugins`, pytest would read the entry points of all installed packages."""
    for name in PLUGINS:
        pluginmanager.import_plugin(name)
