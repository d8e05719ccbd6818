// Where the log lies: a directory of this user alone. What others made or use is left as it is.
//
// The given directory itself, if it is missing (it is made, 0700), or if it belongs to this process's user and is
// empty, is private, or holds a log; it is then made private. Else a subdirectory "tokenrelay" of it, if this user may
// write there (a volume that Kubernetes hands to a group, /srv, a home directory) and no log of another user lies
// there. Else an error that says what to do.
#pragma once

#include <string>

#include "storage/result.h"

namespace tokenrelay::storage {

// Makes what is missing, durably. The result is the directory for the log's files.
Result<std::string> claim_directory(std::string directory);

// Opens or makes one of the log's files for reading and writing, 0600. Refused are links, symbolic and hard, and what
// belongs to another user: whoever could put those there would have this process write elsewhere. The caller closes it.
Result<int> open_private_file(const std::string& path);

// The same check of a file that SQLite opens itself. One that is missing is no fault.
Result<void> check_private_file(const std::string& path);

}  // namespace tokenrelay::storage
