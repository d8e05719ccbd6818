// tokenrelay: the one binary.
#include "service/app.h"

int main(int argc, char** argv) {
  return tokenrelay::run(argc, argv);
}
