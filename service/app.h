// The program: command line in, exit status out (0 done, 1 failed while running, 2 usage or a bad configuration).
#pragma once

namespace tokenrelay {

int run(int argc, char** argv);

}  // namespace tokenrelay
