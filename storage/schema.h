// The tables, their version, and how one version becomes the next (storage/FORMAT.md says what they mean).
#pragma once

#include "storage/database.h"

namespace tokenrelay::storage {

inline constexpr int64_t format_version = 2;
inline constexpr int64_t tokenrelay_application_id = 0x544b524c;  // "TKRL", so that file(1) and we know our own

// Makes an empty file ours, or brings ours up to format_version in one transaction. bad_version for anything else, and
// then nothing in the file has changed.
Result<void> prepare_schema(Database& db);

}  // namespace tokenrelay::storage
