#!/bin/sh
# Installs the SDK into an empty folder and builds the sample deployers against that, as an author
# outside this tree would. Usage: build.sh BUILD_FOLDER SAMPLES_FOLDER WORK_FOLDER
set -eu
build=$1 samples=$2 work=$3

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --component sdk --prefix "$work/prefix"
for sample in deployer_cpp deployer_c; do
    cmake -S "$samples/$sample" -B "$work/$sample" -G Ninja \
        -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
        -DCMAKE_C_FLAGS="-Wall -Wextra -Werror" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror"
    cmake --build "$work/$sample"
    cmake --install "$work/$sample"
done
