#!/usr/bin/env bash
# one_node.sh up|down FOLDER: a private Slurm on this machine, for tests, with one CPU node and one (fake) GPU node.
# Debian: apt-get install slurmctld slurmd slurm-client munge. Nothing outside of FOLDER is written; run as root.
set -euo pipefail
action=${1:?up or down}
folder=$(realpath -m "${2:?folder}")
export SLURM_CONF=$folder/slurm.conf

stop() {
  if timeout 5 scontrol ping > /dev/null 2>&1; then
    timeout 10 scancel --user="$(id -un)" --signal=KILL --full > /dev/null 2>&1 || true
    timeout 10 scancel --user="$(id -un)" > /dev/null 2>&1 || true
    for _ in $(seq 50); do [ -z "$(timeout 5 squeue -h 2> /dev/null)" ] && break; sleep 0.1; done
  fi
  [ -f "$folder/pids" ] || return 0
  tac "$folder/pids" | while read -r name pid; do
    # a pid may have gone to somebody else
    case $(cat "/proc/$pid/comm" 2> /dev/null || true) in "$name"*) kill "$pid" 2> /dev/null || true ;; esac
  done
  rm -f "$folder/pids"
}

start() { # start NAME COMMAND...
  local name=$1
  shift
  "$@" > "$folder/$name.$RANDOM.out" 2>&1 < /dev/null &
  echo "$name $!" >> "$folder/pids"
}

until_works() { # until_works COMMAND...: within 20 seconds
  for _ in $(seq 200); do "$@" > /dev/null 2>&1 && return 0; sleep 0.1; done
  echo "did not come up: $*; see $folder" >&2
  stop
  exit 1
}

both_idle() { [ "$(timeout 5 sinfo -h -N -t idle -o %N | sort -u | wc -l)" = 2 ]; }

if [ "$action" = down ]; then stop; exit 0; fi

mkdir -p "$folder"/{munge,state,spool/c1,spool/g1,bin}
chmod 700 "$folder/munge"
: > "$folder/pids"
(umask 077 && head -c 128 /dev/urandom > "$folder/munge/key")
port=$((20000 + RANDOM % 20000))
host=$(hostname -s)
cat > "$SLURM_CONF" << CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
MinJobAge=300
KillWait=2
GresTypes=gpu
NodeName=c1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 11)) CPUs=4 RealMemory=40000
NodeName=g1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 12)) CPUs=1 RealMemory=40000 Gres=gpu:1
PartitionName=cpu Nodes=c1 Default=YES MaxTime=1-00:00:00
PartitionName=gpu Nodes=g1 MaxTime=1-00:00:00
CONF
echo "NodeName=g1 Name=gpu File=/dev/null" > "$folder/gres.conf"
# inside of a job the executor's job step forgets SLURM_CONF, which a site has in its default place
printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" > "$folder/bin/srun"
chmod +x "$folder/bin/srun"

start munged munged --foreground --num-threads=1 --key-file="$folder/munge/key" --seed-file="$folder/munge/seed" \
  --log-file="$folder/munged.log" --pid-file="$folder/munge/pid" --socket="$folder/munge.socket" --force
until_works munge -S "$folder/munge.socket" -n
start slurmctld slurmctld -D
until_works timeout 5 scontrol ping
start slurmd slurmd -D -N c1
start slurmd slurmd -D -N g1
until_works both_idle
