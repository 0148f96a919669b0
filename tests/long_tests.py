"""The tests that `make test` leaves out: one in forty, which take half of the time of all.

`make test-long` runs them, and so does CI. They run benchmarks in whole repositories, tutorials, large documents and
large profiles. A line is the beginning of the names of one or more tests.
"""

from __future__ import annotations

LONG_TESTS = (
    "tests/bench/test_against.py::test_a_lock_is_read_by_its_own_tool_and_said_not_to_be_where_that_is_missing",
    "tests/bench/test_against.py::test_the_self_test_says_what_can_be_resolved_here",
    "tests/bench/test_against_files.py::test_counts_that_depend_on_the_hash_seed_are_no_difference_between_equal",
    "tests/bench/test_benchstat_goldens.py::test_every_recorded_run_of_the_classic_tool_is_repeated_too[shared]",
    "tests/bench/test_paired.py::test_of_equal_sides_the_pairs_are_that_far_apart_as_seldom_as_is_said",
    "tests/cli/test_compiled_form.py::test_a_comparison_by_damaged_or_foreign_forms_is_that_of_the_documents",
    "tests/cli/test_compiled_form.py::test_a_comparison_by_forms_is_that_of_the_documents",
    "tests/cli/test_compiled_form.py::test_a_damaged_or_foreign_form_is_ignored_and_replaced",
    "tests/cli/test_compiled_form.py::test_every_question_has_the_same_answer_from_the_compiled_form",
    "tests/cli/test_doctor.py::test_the_self_test_compares_known_benchmarks_with_themselves",
    "tests/cli/test_mcp.py::test_every_tool_answers_and_the_history_names_the_commit_of_a_step",
    "tests/cli/test_mcp.py::test_no_text_that_an_agent_may_be_talked_into_leaves_the_project",
    "tests/cli/test_mcp.py::test_pages_follow_each_other_without_a_gap",
    "tests/cli/test_mcp.py::test_the_lists_of_a_record_that_were_cut_are_asked_for_one_by_one",
    "tests/cli/test_mcp.py::test_what_is_cut_to_fit_is_never_twice_its_budget",
    "tests/cli/test_mcp_questions_large.py",
    "tests/cli/test_mcp_questions_real.py",
    "tests/debug/test_leaks.py",
    "tests/debug/test_server.py::test_a_thousand_random_requests_are_all_answered_and_no_descriptor_leaks",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/collecting.md]",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/how-to/",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/profiling-guide",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/tutorials/did",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/tutorials/when",
    "tests/docs/test_pages.py::test_every_example_of_the_page_runs_and_prints_what_the_page_shows[docs/tutorials/which",
    "tests/fuzz/test_fuzz.py::test_a_reader_gives_an_answer_or_its_documented_error[page-parameters]",
    "tests/fuzz/test_fuzz.py::test_a_reader_gives_an_answer_or_its_documented_error[source-files]",
    "tests/history/test_bisect.py",
    "tests/history/test_run.py::test_after_a_kill_the_same_command_goes_on_and_removes_what_was_left",
    "tests/history/test_run.py::test_it_measures_the_working_copys_benchmarks_at_commits_that_have_none",
    "tests/history/test_steps.py::test_a_thousand_points_of_noise_have_no_step_in_nineteen_of_twenty_series",
    "tests/history/test_workflows.py",
    "tests/metadata/test_codec.py::test_any_document_comes_back_as_it_was",
    "tests/metadata/test_compared_form.py::test_deletions_that_differ_are_those_found_by_following_every_resource",
    "tests/metadata/test_compared_form.py::test_forms_of_any_documents_have_their_difference",
    "tests/metadata/test_difference.py::test_no_document_differs_from_itself",
    "tests/report/test_goldens.py::test_the_complete_goldens_are_printed_as_by_the_original[filter]",
    "tests/report/test_goldens.py::test_the_goldens_are_the_same_where_all_loops_run_in_python",
    "tests/sources/openapi/test_real_documents.py::test_every_operation_is_a_route_in_document_order[shared-",
    "tests/sources/openapi/test_real_documents.py::test_every_reference_between_schemas_is_a_relationship_and_there_is_no_other[shared-",
    "tests/sources/openapi/test_real_documents.py::test_every_schema_is_a_resource_and_every_property_a_field[shared-",
    "tests/web/test_every_width.py::test_a_large_profile_is_read_with_mouse_wheel_and_keys",
    "tests/web/test_every_width.py::test_order_zoom_menus_legend_source_and_graph_hold_at_each_width",
)
