#!/bin/sh
# Installs the SDK into an empty folder and builds the sample deployers against that, as an author
# outside this tree would. Usage: build.sh BUILD_FOLDER SOURCE_FOLDER WORK_FOLDER
set -eu
build=$1 source=$2 work=$3
samples=$source/samples

# What the SDK's README shows is what is built here.
readme=$(cat "$source/sdk/README.md")
for file in deployer_cpp/pemfile.cpp deployer_cpp/CMakeLists.txt; do
    block=$(sed 's/^\(.\)/    \1/' "$samples/$file")
    case $readme in
        *"$block"*) ;;
        *) echo "sdk/README.md does not show samples/$file as it is" >&2; exit 1 ;;
    esac
done

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --component sdk --prefix "$work/prefix"
for sample in deployer_cpp deployer_c deployer_http; do
    cmake -S "$samples/$sample" -B "$work/$sample" -G Ninja \
        -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
        -DCMAKE_C_FLAGS="-Wall -Wextra -Werror" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror"
    cmake --build "$work/$sample"
    cmake --install "$work/$sample"
done
