#!/usr/bin/env bash
# Write these folders anew with the edgenext-search that is installed: write.sh [INTO]
# Everything is trained for seconds on the built-in images; nothing outside INTO and a temporary folder is written.
set -euo pipefail
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
into=$(realpath -m "${1:-$tests/old_folders}")
work=/tmp/edgenext-old-folders # a path of no machine: some files record where they were written
rm -rf "$work" && mkdir -p "$work" && cd "$work"
export EDGENEXT_SEARCH_CACHE=$work/cache OMP_NUM_THREADS=1
program() { python -m edgenext_search "$@"; }

numerics=(--set proxy.precision=fp32 --set proxy.channels_last=false --set proxy.compile=false)
proxy=(--set proxy.img_size=32 --set proxy.epochs=2 --set "proxy.rungs=[0.5, 1.0]" --set proxy.batch_size=32
  --set data.train_images=96 --set data.val_images=64)
small=(--num-classes 16 --img-size 64 "${proxy[@]}" "${numerics[@]}" --device cpu --threads 1)
study=(--study demo --set search.cohort=3 --set search.finalists=2 --set search.rescore_seeds=2
  --set search.rematch_seeds=2 "${small[@]}")

# killed_at LOG TEXT ARGUMENTS...: kill -9 as soon as the program has said TEXT
killed_at() {
  local log=$1 text=$2
  shift 2
  python -m edgenext_search "$@" > /dev/null 2> "$log" &
  local pid=$!
  until grep -q "$text" "$log"; do
    kill -0 $pid || { cat "$log"; exit 1; }
    sleep 0.05
  done
  kill -9 $pid
  wait $pid 2> /dev/null || true
}

program run --budget 20k --trials 6 "${study[@]}" --parallel 2 --out search
cp -r search audited
program audit audited --n 4 --seeds 2 --reference-epochs 3 --device cpu --parallel 2
killed_at killed.log "Cohort 1, rung 1 of 2: trial" run --budget 20k --trials 6 "${study[@]}" --parallel 1 --out interrupted
program run --budget 20k --objectives accuracy,madds --trials 3 "${study[@]}" --parallel 2 --out front

# A device that needs no hardware: the time of a network is the size of its file.
cat > board.sh << 'BOARD'
us=$(($(wc -c < "$1") / 100))
echo "{\"times_us\": [$us.1, $us.2, $us.3, $us.1, $us.2, $us.3, $us.1, $us.2, $us.3, $us.1, $us.2, $us.3]}"
BOARD
program latency profile --device "cmd:/bin/sh $work/board.sh" --out board.json --networks 24 --stages 12 --seconds 0.2 \
  --num-classes 16 --img-size 64
program run --budget "params=20k,latency=2ms@cmd:/bin/sh $work/board.sh" --trials 3 "${study[@]}" --set latency.profile=board.json \
  --set latency.seconds=0.2 --parallel 2 --out latency

program scale study --budgets 20k,40k --shapes 4 "${small[@]}" --parallel 2 --out scale-study
program scale compare edgenext paper --budget 20k --n 4 "${small[@]}" --parallel 2 --out scale-compare

cat > candidate.yaml << 'CANDIDATE'
widths: [8, 8, 16, 16]
depths: [1, 1, 1, 1]
kernel_sizes: [3, 3, 3, 3]
sdta_splits: [2, 2, 2, 2]
sdta_blocks: [0, 0, 1, 0]
heads: [4, 4, 4, 4]
expand_ratio: 2
pos_emb: [false, false, true, false]
norm_act: ln_gelu
CANDIDATE
PYTHONPATH=$tests:${PYTHONPATH:-} python -c "
from pathlib import Path
from full_builders import write_images
write_images(Path('images'))"
training=(--data images --set train.img_size=32 --set train.multi_scale=null --set train.epochs=2 --batch-size 8
  --set train.precision=fp32 --set train.channels_last=false --device cpu --processes 1 --workers 0 --threads 1 --keep 1)
program train candidate.yaml "${training[@]}" --out training
killed_at training.log "poch 1" train candidate.yaml "${training[@]}" --out training-interrupted

# What they come to, as printed by the program that wrote them.
mkdir expected
for name in search audited front latency interrupted; do
  cp -r $name copy
  program report copy --json > expected/$name.json
  rm -r copy
done
for name in scale-study scale-compare; do program scale report $name --json > expected/$name.json; done
program report search front --out several --json > expected/several.json
program evaluate training --data images --device cpu --json > expected/evaluate.json
program export training --out exported.onnx --json > expected/export.json

# Small: no pages, no ONNX files, weights only where a test needs them, databases of small pages.
find . -name 'index.html' -delete -o -name '*.onnx' -delete -o -name '.lock' -delete
find audited front latency scale-* -name '*.safetensors' -delete
rm -rf interrupted/report search/scratch audited/scratch front/scratch latency/scratch scale-*/scratch training/checkpoints
for database in */study.db; do
  python -c "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('PRAGMA journal_mode = DELETE')
connection.execute('PRAGMA page_size = 512')
connection.execute('VACUUM')" "$database"
done
folders=(search audited interrupted front latency scale-study scale-compare training training-interrupted expected)
mkdir -p "$into"
(cd "$into" && rm -rf "${folders[@]}")
cp -r "${folders[@]}" candidate.yaml "$into"
du -sb "$into"/*
