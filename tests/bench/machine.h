// The machine the figures are from, and where on it things run.
#pragma once

#include <filesystem>
#include <string>

namespace tokenrelay::bench {

// One line: processor, cores, memory, kernel, file system of `directory` and how long it syncs, load now.
std::string machine_line(const std::filesystem::path& directory);
double load_now();  // of the last minute

// The cores of this benchmark: core 0 for the upstream and the clients, core 1 for the server under test.
enum class Place { driver, server, anywhere };

// For the calling thread and what it starts from now on.
void run_on(Place place);

// SIGINT, SIGTERM and SIGHUP end the benchmark at its next wait, by throwing Stopped: children and directories are
// removed.
struct Stopped {};
void stop_on_signals();
void throw_if_stopped();

void raise_descriptor_limit();
size_t descriptor_limit();

}  // namespace tokenrelay::bench
