// Turns the configuration into the options of each layer.
#pragma once

#include <memory>

#include "service/api/api.h"
#include "service/config/config.h"
#include "service/http/server.h"
#include "service/relay/models.h"
#include "service/relay/options.h"
#include "service/upstream/providers.h"
#include "storage/sqlite_event_log.h"

namespace tokenrelay {

std::shared_ptr<const relay::Options> relay_options(const Config& config);
http::ServerOptions server_options(const Config& config, bool check_host, metrics::Metrics& metrics);
api::Settings api_settings(const Config& config, bool beyond_loopback);
storage::SqliteLogOptions log_options(const Config& config);  // sizes and times; the callbacks are the caller's

// The configured upstreams; without any, the built-in demo model. Only here API keys are read from the environment.
std::shared_ptr<const relay::ModelTable> model_table(const Config& config, transport::Loop& loop,
                                                     const std::shared_ptr<client::HttpClient>& client);

}  // namespace tokenrelay
