"""Names the plugins."""

pytest_plugins = [
    "plugins.options",
    "plugins.benchmark_options",
    "plugins.bad_input",
    "plugins.outside",
    "plugins.environment",
    "plugins.matrix",
    "plugins.progress",
    "plugins.promises",
    "plugins.promise_list",
    "plugins.environment_report",
    "plugins.subjects",
    "plugins.golden",
    "plugins.update_golden",
    "plugins.measures",
    "plugins.report",
    "plugins.machine",
    "plugins.precision_claims",
    "plugins.gate_session",
    "plugins.compare_fail",
    "plugins.matrix_page",
]
