// `tokenrelay serve`: one process, one shard, from start to drain.
#pragma once

#include <functional>

#include "service/config/load.h"

namespace tokenrelay {

// Blocks until the relay has drained. `reload` loads the same sources again (SIGHUP). Returns the exit status.
int serve(Config config, std::function<ConfigResult()> reload);

}  // namespace tokenrelay
