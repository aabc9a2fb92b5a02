#!/bin/sh
# Do the settings that `ironstar setup CLIENT --write` writes work in the real client?
#
#   tools/setup/check.sh IRONSTAR CLIENTS CLIENT...
#
# IRONSTAR is the program; CLIENTS a folder in which each client is installed under its name: an npm
# prefix (CLIENTS/codex/node_modules/.bin) or a Python environment (CLIENTS/aider/bin), and CLIENTS/node
# a newer Node.js where the system's is too old. For each client this starts a server with the built-in
# model, lets `setup` write into an empty home, and asks the client one plain question there, with
# nothing else set. It is right if the client ends well, has said something, and the server has answered
# at least one request to its end. What the client says does not matter: the built-in model is small.
#
# QUESTION is another question, LIMIT the seconds that a client may take. Settings that only a script
# needs (no updates, no telemetry, no pictures) are set as variables.
set -u
ironstar=$(realpath "$1"); clients=$(realpath "$2"); shift 2
question=${QUESTION:-"How do I start the server?"}
limit=${LIMIT:-420}
failed=0

# How a client is asked once, beside what `setup` says.
ask() {
    case $1 in
    claude-code) echo 'claude -p "$QUESTION"' ;;
    codex) echo 'IRONSTAR_API_KEY=local codex exec --skip-git-repo-check "$QUESTION"' ;;
    opencode) echo 'opencode run "$QUESTION"' ;;
    pi) echo 'pi -p --provider ironstar --model deepseek-v4-flash "$QUESTION"' ;;
    omp) echo 'omp -p --model ironstar/deepseek-v4-flash "$QUESTION"' ;;
    qwen-code) echo 'qwen --auth-type openai -p "$QUESTION"' ;;
    cline) echo 'cline -P openai-compatible -m deepseek-v4-flash --json "$QUESTION"' ;;
    continue) echo 'cn --config "$HOME/.continue/ironstar.yaml" -p "$QUESTION"' ;;
    aider) echo 'aider --no-git --yes-always --no-pretty --no-check-update --analytics-disable --no-show-release-notes --message "$QUESTION"' ;;
    mini-swe-agent) echo 'OPENAI_API_BASE=$URL/v1 OPENAI_API_KEY=local MSWEA_COST_TRACKING=ignore_errors MSWEA_CONFIGURED=true mini -m openai/deepseek-v4-flash -y --exit-immediately -t "$QUESTION"' ;;
    llm) echo 'llm -m ironstar --key local "$QUESTION"' ;;
    *) echo "unknown client $1" >&2; return 1 ;;
    esac
}

for client in "$@"; do
    script=$(ask "$client") || { failed=1; continue; }
    folder=$(mktemp -d)
    mkdir "$folder/home" "$folder/work"
    "$ironstar" serve -m tiny --ctx 64k --slots 2 --port 0 2> "$folder/server.log" &
    server=$!
    until grep -qs "is ready" "$folder/server.log"; do
        kill -0 $server || { cat "$folder/server.log" >&2; exit 1; }
        sleep 0.2
    done
    url=$(sed -n 's/.*listening on \([^ ]*\).*/\1/p' "$folder/server.log")
    path="$clients/node/node_modules/.bin:$clients/$client/node_modules/.bin:$clients/$client/bin:$PATH"
    clean() {
        (cd "$folder/work" && timeout -k 5 "$limit" env -i HOME="$folder/home" PATH="$path" URL="$url" \
            QUESTION="$question" LANG=C.UTF-8 TERM=dumb CI=1 NO_COLOR=1 DO_NOT_TRACK=1 DISABLE_AUTOUPDATER=1 \
            OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 PI_OFFLINE=1 \
            LITELLM_LOCAL_MODEL_COST_MAP=True "$@" < /dev/null)
    }
    case $client in
    mini-swe-agent) ;; # takes everything from its command line
    cline) clean cline auth -p openai-compatible -k local -m deepseek-v4-flash -b "$url/v1" > "$folder/setup.log" 2>&1 ;;
    *) clean "$ironstar" setup "$client" --url "$url" --ctx 64k --write > "$folder/setup.log" 2>&1 ;;
    esac
    start=$(date +%s)
    clean sh -c "$script" > "$folder/out" 2> "$folder/err"
    rc=$?
    finished=$(curl -s "$url/v1/stats" | sed -n 's/.*"finished":\([0-9]*\).*/\1/p')
    kill $server; wait $server
    result=ok
    [ $rc = 0 ] && [ -s "$folder/out" ] && [ "${finished:-0}" -gt 0 ] || { result=FAILED; failed=1; }
    echo "$result $client: exit code $rc, $(($(date +%s) - start)) s, ${finished:-no} requests answered, said: $(tail -c 200 "$folder/out" | tr '\n' ' ')"
    if [ $result = ok ]; then rm -rf "$folder"; else echo "  left: $folder"; cat "$folder/setup.log"; tail -n 3 "$folder/err"; fi
done
exit $failed
