"""Operations on any model: its carried state, its device, and text generation."""
