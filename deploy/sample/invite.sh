#!/bin/sh
# Invites the sample parties; each finds its token in a file of its name. One that an earlier run left is removed first.
set -eu
umask 077
folder=${HUB_DATA:?}

invite() { # WORD COUNTRY PARTY ROLE
    ocpi-hub party remove "$2" "$3" >/dev/null 2>&1 || true
    ocpi-hub party invite "$2" "$3" "$4" --json |
        python -c 'import json, sys; print(json.load(sys.stdin)["token"])' >"$folder/$1.token"
    echo "$4 $2-$3 is invited"
}

invite cpo NL TNM CPO
invite emsp DE EMS EMSP
