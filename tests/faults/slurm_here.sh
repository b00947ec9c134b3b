#!/usr/bin/env bash
# Slurm for real on this one machine, for tests: munged, slurmctld and slurmd from a temporary folder.
#
#   tests/faults/slurm_here.sh start FOLDER   # installs the packages first where it may and must
#   export SLURM_CONF=FOLDER/slurm.conf       # then sbatch, squeue, scancel work here
#   tests/faults/slurm_here.sh stop FOLDER
#
# Needs root, and Debian's or Ubuntu's packages slurmctld slurmd munge slurm-client. Exit status 77,
# as of a skipped test, where Slurm cannot be had. Nothing outside FOLDER is configured, and only
# the daemons that this script started are stopped.
set -euo pipefail

command=$1
folder=$(realpath -m "$2")

cannot() {
  echo "no Slurm here: $1" >&2
  exit 77
}

install() {
  missing=
  for program in slurmctld slurmd munged sbatch; do
    command -v $program > /dev/null || missing=$program
  done
  [ -z "$missing" ] && return
  [ "$(id -u)" = 0 ] || cannot 'not root, and it is not installed'
  command -v apt-get > /dev/null || cannot 'no apt-get, and it is not installed'
  export DEBIAN_FRONTEND=noninteractive
  wait_for_lock='-o DPkg::Lock::Timeout=300'
  apt-get update -q > /dev/null || cannot 'apt-get update failed'
  # shellcheck disable=SC2086
  apt-get install -qy $wait_for_lock --no-install-recommends \
    slurmctld slurmd munge slurm-client > /dev/null || cannot 'apt-get install failed'
}

configure() {
  mkdir -p "$folder"/{state,spool}
  host=$(hostname -s)
  cores=$(nproc)
  base=$((20000 + RANDOM % 10000))
  dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none
  chmod 600 "$folder/munge.key"
  cat > "$folder/slurm.conf" << CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$base
SlurmdPort=$((base + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=90
JobRequeue=1
SchedulerParameters=requeue_delay=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
  install
  configure
  export SLURM_CONF=$folder/slurm.conf
  # Whoever owns the key is who munged runs as.
  munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" --force
  slurmctld -c
  slurmd -c
  for _ in $(seq 60); do
    sinfo --noheader --format=%t 2> /dev/null | grep -q idle && return
    sleep 0.5
  done
  tail -n 20 "$folder"/*.log >&2
  stop
  cannot 'its daemons did not come up within 30 s'
}

stop() {
  for daemon in slurmd slurmctld munged; do
    [ -f "$folder/$daemon.pid" ] && kill "$(cat "$folder/$daemon.pid")" 2> /dev/null || true
  done
}

"$command"
