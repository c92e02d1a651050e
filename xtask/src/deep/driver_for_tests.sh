#!/bin/sh
# Stands in for the model driver in the tests of run.rs. It has one check, whose first 19,999 schedules end at a branch with
# two threads, and which has 10,000 more from any checkpoint that it is given.
if [ "$1" = --table ]; then printf 'q1_x\tqueue\tepoch\t3\n'; exit; fi
if [ "$ZERO_POOL_SECONDS" = 0 ]; then
    path='{"branches":{"entries":[{"Schedule":{"threads":["Active","Pending"],"exploring":true}}]}}'
    printf '%s\n19999\n%s' "$ZERO_POOL_ABOUT" "$path" > "$ZERO_POOL_CHECKPOINT"
    echo 'stopped 19999'; exit
fi
if [ "$ZERO_POOL_SECONDS" = 60 ]; then echo 'stopped 7'; exit; fi
before=0
if [ -e "$ZERO_POOL_CHECKPOINT" ]; then before=$(sed -n 2p "$ZERO_POOL_CHECKPOINT"); fi
if grep -q Pending "$ZERO_POOL_CHECKPOINT"; then echo 'it was not split' >&2; exit 1; fi
rm -f "$ZERO_POOL_CHECKPOINT"
echo "progress $((before + 5000))"
echo "schedules $((before + 10000))"
