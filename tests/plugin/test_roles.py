"""What parameters are for: the default, what overrides it, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqzoo.plugin.contexts import ArchitectureContext
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.roles import ParameterRole, default_roles, fault_in_roles

OTHER = ParameterRole(use="other", decay=False)


class Model(SequenceModel):
    """Any layers, called like the arguments."""

    def __init__(self, **layers: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, 1)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        raise AssertionError("roles are read without a forward pass")


def matrices(model: SequenceModel) -> set[str]:
    return {name for name, role in model.parameter_roles().items() if role.use == "matrix"}


def usual() -> Model:
    return Model(embed=nn.Embedding(11, 6), hidden=nn.Linear(6, 6), head=nn.Linear(6, 11))


BUILT_IN = ("lstm", "gru", "rnn", "transformer", "ngram_lstm")


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_models_are_grouped_by_dimensions_embedding_and_head(
    name: str, tied: bool
) -> None:
    """The grouping of the first version: every matrix but embedding and head, and 2-d decays."""
    spec = load_registry().get("architecture", name)
    wanted = {"hidden_size": 8, "tied_embeddings": tied}
    options = spec.options(**{k: v for k, v in wanted.items() if k in spec.options.model_fields})
    model = spec.build(options, ArchitectureContext(vocab_size=13))
    outside = ("embed.", "head.", "lstm.embed.", "lstm.head.", "gate_out.", "symbol_")
    for parameter, role in zip(
        model.named_parameters(), model.parameter_roles().items(), strict=True
    ):
        assert parameter[0] == role[0]
        is_matrix = parameter[1].ndim == 2 and not parameter[0].startswith(outside)
        assert (role[1].use == "matrix") == is_matrix
        assert role[1].decay == (parameter[1].ndim >= 2)
        assert role[1].rate == 1.0


def test_weights_of_linear_and_recurrent_layers_are_matrices() -> None:
    model = Model(
        embed=nn.Embedding(11, 6),
        up=nn.Linear(6, 8),
        cell=nn.GRUCell(8, 8),
        layers=nn.LSTM(8, 8),
        attention=nn.MultiheadAttention(8, 2),
        head=nn.Linear(8, 11),
    )
    assert matrices(model) == {
        "up.weight",
        "cell.weight_ih",
        "cell.weight_hh",
        "layers.weight_ih_l0",
        "layers.weight_hh_l0",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    }


def test_parameters_that_are_no_linear_map_are_not_matrices() -> None:
    model = Model(
        log_rate=nn.Parameter(torch.zeros(6, 4)),
        blocks=nn.Parameter(torch.zeros(2, 3, 3)),
        filter=nn.Conv1d(6, 6, 3),
        norm=nn.LayerNorm(6),
        normed=nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)),
    )
    assert matrices(model) == set()


def test_a_role_is_overridden_by_name() -> None:
    class Decaying(Model):
        def parameter_roles(self) -> dict[str, ParameterRole]:
            own = ParameterRole(use="other", decay=False, rate=0.1)
            return super().parameter_roles() | {"log_rate": own}

    model = Decaying(log_rate=nn.Parameter(torch.zeros(6, 4)), hidden=nn.Linear(6, 6))
    roles = model.parameter_roles()
    assert roles["log_rate"] == ParameterRole(use="other", decay=False, rate=0.1)
    assert roles["hidden.weight"] == ParameterRole(use="matrix", decay=True)
    assert fault_in_roles(model, roles) == ""


def test_a_model_inside_a_model_keeps_its_own_roles() -> None:
    class Own(Model):
        def parameter_roles(self) -> dict[str, ParameterRole]:
            return super().parameter_roles() | {"hidden.weight": OTHER}

    inner = Own(embed=nn.Embedding(11, 6), hidden=nn.Linear(6, 6), head=nn.Linear(6, 11))
    outer = Model(members=nn.ModuleList([inner, usual()]), gate=nn.Linear(6, 6))
    roles = outer.parameter_roles()
    assert matrices(outer) == {"members.1.hidden.weight", "gate.weight"}
    assert not roles["members.0.hidden.weight"].decay
    assert roles["members.0.head.weight"].use == "head"
    assert roles["members.1.embed.weight"].use == "embedding"


def test_a_tied_parameter_has_one_role_and_is_no_matrix() -> None:
    embed, output = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
    output.weight = embed.weight
    model = Model(embed=embed, hidden=nn.Linear(6, 6), output=output)
    roles = default_roles(model)
    assert "output.weight" not in roles
    assert roles["embed.weight"].use == "embedding"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"hiden.weight": OTHER},
            "Did you mean 'hidden.weight'?",
        ),
        ({"hidden.bias": ParameterRole(use="matrix", decay=False)}, "less than two dimensions"),
        ({"hidden.bias": "matrix"}, "str for 'hidden.bias'"),
    ],
)
def test_a_wrong_role_is_described(change: dict[str, Any], fault: str) -> None:
    model = usual()
    assert fault in fault_in_roles(model, default_roles(model) | change)


def test_missing_roles_are_described() -> None:
    model = usual()
    roles = default_roles(model)
    del roles["head.bias"]
    assert fault_in_roles(model, roles) == "no role for 'head.bias'"
    assert fault_in_roles(model, list(roles)) == "list"


def test_a_role_for_the_second_name_of_a_tied_parameter_names_the_first() -> None:
    embed, head = nn.Embedding(11, 6), nn.Linear(6, 11)
    head.weight = embed.weight
    model = Model(embed=embed, head=head)
    roles = default_roles(model) | {"head.weight": ParameterRole(use="head", decay=True)}
    assert fault_in_roles(model, roles) == "a role for 'head.weight'. It is 'embed.weight'"


def test_a_rate_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="rate of a ParameterRole is -1"):
        ParameterRole(use="other", decay=False, rate=-1)


def test_hidden_matrices_of_an_earlier_plugin_are_used_with_a_warning() -> None:
    class Earlier(Model):
        def hidden_matrices(self) -> Any:
            return [*super().hidden_matrices(), self.table]

    class Narrower(Model):
        def hidden_matrices(self) -> Any:
            return []

    table = nn.Parameter(torch.zeros(6, 6))
    with pytest.warns(DeprecationWarning, match="Earlier overrides hidden_matrices"):
        assert matrices(Earlier(hidden=nn.Linear(6, 6), table=table)) == {"hidden.weight", "table"}
    with pytest.warns(DeprecationWarning, match="Narrower overrides hidden_matrices"):
        assert matrices(Narrower(hidden=nn.Linear(6, 6), table=table)) == set()
