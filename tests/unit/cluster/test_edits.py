import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cluster.divisive import DivisionRules, divide
from streamer.cluster.edits import apply_edits
from streamer.errors import SettingsError
from streamer.settings import HideEdit, MergeEdit, MoveEdit, RenameEdit, SplitEdit, analysis_settings

RULES = DivisionRules(levels=3, k_max=5, min_patterns=40)


def split(node, k=None):
    return SplitEdit(edit="split", node=node, k=k)


def merge(*nodes):
    return MergeEdit(edit="merge", nodes=nodes)


def rename(node, title):
    return RenameEdit(edit="rename", node=node, title=title)


def hide(*nodes, hidden=True):
    return HideEdit(edit="hide", nodes=nodes, hidden=hidden)


def move(node, onto):
    return MoveEdit(edit="move", node=node, onto=onto)


def groups_within_groups(seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((900, 30)).astype(np.float32)
    outer, inner = np.repeat(np.arange(3), 300), np.tile(np.arange(2), 450)
    features[:, 0] += 60 * outer
    features[:, 1] += 8 * inner * (outer == 1)
    return features


FEATURES = groups_within_groups()
HIERARCHY = divide(FEATURES, RULES, seed=0)


def edited(*edits, hierarchy=HIERARCHY):
    return apply_edits(hierarchy, edits, FEATURES, RULES, seed=0)


def names(hierarchy):
    return [node.name for node in hierarchy.tree.nodes]


def named(hierarchy, name):
    return next(node for node in hierarchy.tree.nodes if node.name == name)


def members(hierarchy, name):
    tree = hierarchy.tree
    node = named(hierarchy, name)
    return np.isin(hierarchy.leaf_of, [node.id, *tree.descendants(node.id)])


def assert_consistent(hierarchy):
    tree = hierarchy.tree
    assert [node.id for node in tree.nodes] == list(range(len(tree.nodes)))
    assert len(set(names(hierarchy))) == len(tree.nodes)
    assert set(hierarchy.leaf_of) == {leaf.id for leaf in tree.leaves()}
    assert hierarchy.centroids.shape == (len(tree.nodes), FEATURES.shape[1])
    for node in tree.nodes:
        inside = members(hierarchy, node.name)
        assert node.n_patterns == inside.sum() > 0
        assert max(1, len(tree.children(node.id))) == node.k
        assert all(child.level == node.level + 1 and child.id > node.id for child in tree.children(node.id))
        own = FEATURES[inside]
        assert hierarchy.centroids[node.id] == pytest.approx(own.mean(axis=0), abs=1e-2)
        assert node.inertia == pytest.approx(((own - own.mean(axis=0)) ** 2).sum(), rel=1e-3)
        assert node.radius == pytest.approx(np.sqrt(node.inertia / node.n_patterns), rel=1e-6)
    assert set(hierarchy.elbows) <= set(range(len(tree.nodes)))


def test_a_split_gives_the_node_its_k_and_leaves_the_others_alone():
    after = edited(split("1", 4))
    assert_consistent(after)
    assert [f"1.{number}" in names(after) for number in range(1, 6)] == [True] * 4 + [False]
    for name in ("2", "3"):
        assert np.array_equal(members(after, name), members(HIERARCHY, name))
    assert named(after, "1").k_auto == named(HIERARCHY, "1").k_auto


def test_a_split_below_the_last_level_goes_one_further():
    deep = edited(split("1", 2), split("1.1", 2), split("1.1.1", 2))
    assert_consistent(deep)
    assert deep.tree.depth == 4


def test_a_split_without_k_makes_the_branch_again_as_it_was():
    changed = edited(split("all", 2))
    assert names(changed) != names(HIERARCHY)
    again = edited(split("all"), hierarchy=changed)
    assert names(again) == names(HIERARCHY)
    assert np.array_equal(again.leaf_of, HIERARCHY.leaf_of)
    with_two = next(node for node in HIERARCHY.tree.nodes if node.level == 1 and node.k == 2)
    branch = edited(split(with_two.name, 4), split(with_two.name))
    for node in HIERARCHY.tree.nodes:
        assert np.array_equal(members(branch, node.name), members(HIERARCHY, node.name))


def test_one_child_is_none():
    leaf = edited(split("all", 1))
    assert names(leaf) == ["all"]
    assert_consistent(leaf)


def test_merged_siblings_are_one_leaf_under_the_first_name():
    after = edited(merge("3", "1"))
    assert_consistent(after)
    assert [name for name in names(after) if "." not in name] == ["all", "2", "3"]
    assert np.array_equal(members(after, "3"), members(HIERARCHY, "1") | members(HIERARCHY, "3"))
    assert named(after, "all").k == 2


def test_merging_all_children_makes_the_parent_a_leaf():
    after = edited(merge("1", "2", "3"))
    assert names(after) == ["all"]
    assert_consistent(after)


def test_a_title_stays_with_its_node_while_others_change():
    after = edited(rename("3", "film"), split("1", 3), merge("1.1", "1.3"))
    assert named(after, "3").title == "film"
    assert [node.title for node in after.tree.nodes].count("film") == 1
    assert_consistent(after)


def test_what_was_there_before_is_not_changed():
    before = (names(HIERARCHY), HIERARCHY.leaf_of.copy(), HIERARCHY.centroids.copy())
    edited(split("2", 3), merge("1", "3"), rename("2", "x"))
    assert names(HIERARCHY) == before[0]
    assert np.array_equal(HIERARCHY.leaf_of, before[1])
    assert np.array_equal(HIERARCHY.centroids, before[2])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (split("9", 2), r"no node 9\. This hierarchy has all, 1"),
        (split("1", 32), None),
        (merge("1", "all"), "cannot be merged"),
        (merge("1", "1"), "cannot be merged"),
        (rename("5.5", "x"), "no node 5.5"),
        (hide("all"), "whole scan cannot be hidden"),
        (hide("5"), "no node 5"),
        (move("1", "all"), "1 cannot be moved onto all"),
        (move("1", "1"), "1 cannot be moved onto 1"),
        (move("all", "1"), "all cannot be moved onto 1"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(edit, words):
    if words is None:
        assert_consistent(edited(edit))
        return
    with pytest.raises(SettingsError, match=words):
        edited(edit)


def test_a_node_has_no_more_children_than_vectors():
    few = divide(FEATURES[:5], RULES, seed=0)
    with pytest.raises(SettingsError, match="Node all has 5 patterns and cannot be split into 6"):
        apply_edits(few, (split("all", 6),), FEATURES[:5], RULES, seed=0)


def test_cousins_are_not_merged():
    cousins = edited(split("1", 2), split("2", 2))
    with pytest.raises(SettingsError, match=r"1\.1 \(child of 1\), 2\.1 \(child of 2\) cannot be merged"):
        edited(merge("1.1", "2.1"), hierarchy=cousins)


def test_a_branch_is_hidden_and_shown_again():
    split_up = edited(split("1", 2), split("3", 1))
    hidden = edited(hide("1", "3"), hierarchy=split_up)
    assert [node.name for node in hidden.tree.nodes if node.hidden] == ["1", "3", "1.1", "1.2"]
    assert np.array_equal(hidden.leaf_of, split_up.leaf_of)
    shown = edited(hide("1.2", hidden=False), hierarchy=hidden)
    assert [node.name for node in shown.tree.nodes if node.hidden] == ["3", "1.1"], "its parent is shown too"


def test_a_leaf_takes_in_what_is_moved_onto_it():
    before = edited(split("1", 3), split("2", 2))
    after = edited(move("1.2", "2.1"), hierarchy=before)
    assert_consistent(after)
    assert np.array_equal(members(after, "2.1"), members(before, "2.1") | members(before, "1.2"))
    assert [name for name in names(after) if name.startswith("1.")] == ["1.1", "1.3"], "no new numbers"


def test_a_node_with_children_gets_another_last_child_with_its_branch():
    before = edited(split("1", 3), split("1.2", 2), split("2", 2))
    after = edited(move("1.2", "2"), hierarchy=before)
    assert_consistent(after)
    assert np.array_equal(members(after, "2.3.1"), members(before, "1.2.1"))
    assert np.array_equal(members(after, "2"), members(before, "2") | members(before, "1.2"))


def test_a_parent_left_with_one_leaf_is_that_leaf_and_one_left_with_none_is_gone():
    before = edited(split("1", 2), split("2", 2))
    after = edited(move("1.2", "2"), hierarchy=before)
    assert_consistent(after)
    assert named(after, "1").k == 1
    assert "1.1" not in names(after)
    gone = edited(move("1", "2.1"), hierarchy=after)
    assert_consistent(gone)
    assert "1" not in names(gone)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["split", "rerun", "merge", "rename", "hide", "move"]), st.integers(0, 99)),
        max_size=5,
    )
)
def test_any_sequence_of_edits_keeps_the_tree_whole(steps):
    hierarchy = HIERARCHY
    for kind, draw in steps:
        node = hierarchy.tree.nodes[draw % len(hierarchy.tree.nodes)]
        siblings = [child.name for child in hierarchy.tree.children(node.id)]
        if kind == "split":
            hierarchy = edited(split(node.name, 1 + draw % 4), hierarchy=hierarchy)
        elif kind == "rerun":
            hierarchy = edited(split(node.name), hierarchy=hierarchy)
        elif kind == "merge" and len(siblings) > 1:
            hierarchy = edited(merge(*siblings[: 2 + draw % 2]), hierarchy=hierarchy)
        elif kind == "rename":
            hierarchy = edited(rename(node.name, f"title {draw}"), hierarchy=hierarchy)
        elif kind == "hide" and node.level:
            hierarchy = edited(hide(node.name, hidden=bool(draw % 3)), hierarchy=hierarchy)
        elif kind == "move":
            branch = [node.id, *hierarchy.tree.descendants(node.id)]
            onto = hierarchy.tree.nodes[(draw * 7) % len(hierarchy.tree.nodes)]
            if node.level and onto.id != node.parent and onto.id not in branch:
                hierarchy = edited(move(node.name, onto.name), hierarchy=hierarchy)
        assert_consistent(hierarchy)


def test_edits_are_settings_and_change_their_hash():
    values = {"edits": [{"edit": "split", "node": "2", "k": 3}, {"edit": "merge", "nodes": ["1", "2"]}]}
    with_edits = analysis_settings(values)
    assert with_edits.edits == (split("2", 3), merge("1", "2"))
    assert with_edits.settings_id != analysis_settings({}).settings_id
    with pytest.raises(SettingsError, match=r"edits\.0"):
        analysis_settings({"edits": [{"edit": "prune", "node": "2"}]})
