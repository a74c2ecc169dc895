//! Loading the index files of a repository.

use futures::{StreamExt, stream};

use super::index::IndexBuilder;
use super::unpacked::damaged;
use super::{Event, Index, Repository, RepositoryError, Step};
use crate::blocking;
use crate::format::{FileHandle, FileType, IndexFile, IndexId};

impl Repository {
    /// All index files, merged; a damaged one is an error that names it, as what it knew would be missing.
    pub async fn load_index(&self) -> Result<Index, RepositoryError> {
        self.load_index_with(|_, file| file.map(|_| ())).await
    }

    /// Merges the index files, each of them, or why it cannot be used, shown to `look` first, in no particular order.
    pub(super) async fn load_index_with(
        &self,
        mut look: impl FnMut(IndexId, Result<&IndexFile, RepositoryError>) -> Result<(), RepositoryError>,
    ) -> Result<Index, RepositoryError> {
        let files = self.list(FileType::Index).await?;
        self.progress().report(Event::StepStarted { step: Step::Index, total: files.len() as u64 });
        let mut builder = IndexBuilder::default();
        let mut loads = stream::iter(files)
            .map(|(id, _)| async move { (IndexId::from(id), self.load_index_file(id.into()).await) })
            .buffer_unordered(self.backend().connections());
        while let Some((id, file)) = loads.next().await {
            match file {
                Ok(file) => {
                    look(id, Ok(&file))?;
                    builder.add(&file);
                }
                Err(error) => look(id, Err(error))?,
            }
            self.progress().report(Event::StepAdvanced { step: Step::Index });
        }
        drop(loads);
        self.progress().report(Event::StepFinished { step: Step::Index });
        Ok(blocking::run(move || builder.finish()).await)
    }

    /// What one index file says.
    pub async fn load_index_file(&self, id: IndexId) -> Result<IndexFile, RepositoryError> {
        let file = FileHandle::from(id);
        let sealed = self.load_raw(&file).await?;
        let repo = self.clone();
        blocking::run(move || {
            let content = repo.open_unpacked(&file, &sealed)?;
            IndexFile::decode(repo.version(), &content).map_err(|fault| damaged(file, fault))
        })
        .await
    }
}
