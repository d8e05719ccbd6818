// The tables, their version, and the migrations between versions (storage/FORMAT.md describes them).
#pragma once

#include "storage/database.h"

namespace tokenrelay::storage {

inline constexpr int64_t format_version = 3;
inline constexpr int64_t tokenrelay_application_id = 0x544b524c;  // "TKRL": identifies our files, also for file(1)

// Creates the tables in an empty file, or migrates our own to format_version in one transaction. Any other file is
// bad_version and stays unchanged.
Result<void> prepare_schema(Database& db);

}  // namespace tokenrelay::storage
