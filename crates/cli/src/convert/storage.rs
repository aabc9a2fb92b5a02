//! In which types the tensors are stored: one for all matrices, or by a recipe.

use anyhow::Context as _;
use gguf::{TensorType, WriterBuilder};

use super::tensors::{Role, Target};
use crate::quantize::{Choice, Recipe, is_lossy};

/// How tensors are stored.
pub(super) enum Storage {
    /// Matrices in one type, as the table in the head of `convert` has it.
    Uniform(Uniform),
    /// Each tensor as the recipe says, and those that it keeps as in [`Uniform::F16`].
    Recipe(Recipe),
}

/// One type for all matrices that bear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniform {
    /// Exact, and large.
    F32,
    /// Rounded to half precision.
    F16,
    /// Projections and experts with 8 bits and a scale per 32, other matrices as in `F16`.
    Q8_0,
}

impl Storage {
    /// The storage of this name, or the recipe in the file of this name.
    pub(super) fn open(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "f32" => Self::Uniform(Uniform::F32),
            "f16" => Self::Uniform(Uniform::F16),
            "q8_0" => Self::Uniform(Uniform::Q8_0),
            _ => Self::Recipe(
                Recipe::open(name).context("--type is none of f32, f16, q8_0 and no recipe")?,
            ),
        })
    }

    /// The type of each tensor.
    pub(super) fn kinds(&self, targets: &[Target]) -> anyhow::Result<Vec<TensorType>> {
        targets.iter().map(|target| self.kind(target)).collect()
    }

    fn kind(&self, target: &Target) -> anyhow::Result<TensorType> {
        let recipe = match self {
            Self::Uniform(uniform) => return Ok(uniform.kind(target)),
            Self::Recipe(recipe) => recipe,
        };
        match recipe.choice(&target.name) {
            Choice::As(kind) if target.role != Role::HashTable => {
                recipe.fitting(&target.name, kind, target.columns())
            }
            _ => Ok(Uniform::F16.kind(target)),
        }
    }

    /// What the file says about its types.
    pub(super) fn add_metadata(
        &self,
        header: &mut WriterBuilder,
        kinds: &[TensorType],
    ) -> gguf::Result<()> {
        let file_type = match self {
            Self::Uniform(Uniform::F32) => Some(0_u32),
            Self::Uniform(Uniform::F16) => Some(1),
            Self::Uniform(Uniform::Q8_0) => Some(7),
            Self::Recipe(recipe) => recipe.file_type,
        };
        if let Some(file_type) = file_type {
            header.metadata("general.file_type", file_type)?;
        }
        if kinds.iter().any(|&kind| is_lossy(kind)) {
            header.metadata("general.quantization_version", 2_u32)?;
        }
        if let Self::Recipe(recipe) = self {
            header.metadata("quantize.recipe", recipe.name.as_str())?;
        }
        Ok(())
    }

    /// What the user should know.
    pub(super) fn notes(&self, targets: &[Target], kinds: &[TensorType]) -> Vec<String> {
        let Self::Recipe(recipe) = self else { return Vec::new() };
        let mut notes = recipe.unused_notes(targets.iter().map(|target| target.name.as_str()));
        if kinds.contains(&TensorType::Iq2Xxs) {
            notes.push(
                "warning: IQ2_XXS without importance is noticeably worse; `convert --type mxfp4`, \
                 `imatrix` and `quantize` give a better file"
                    .to_owned(),
            );
        }
        notes
    }
}

impl Uniform {
    fn kind(self, target: &Target) -> TensorType {
        let fits = target.columns().is_multiple_of(TensorType::Q8_0.block_len() as u64);
        match (target.role, self) {
            (Role::HashTable, _) => TensorType::I32,
            (Role::Vector, _) | (_, Self::F32) => TensorType::F32,
            (Role::Projection, Self::Q8_0) if fits => TensorType::Q8_0,
            (Role::Sensitive | Role::Projection, Self::F16 | Self::Q8_0) => TensorType::F16,
        }
    }
}
