# What a machine says about itself: one JSON object a line, the most telling first, so that an answer that is cut off
# (Systems Manager keeps 24,000 characters) loses the least. POSIX sh and awk only; what is missing is said, never made up.
LC_ALL=C
export LC_ALL
R=${RUNCTL_PROBE_ROOT:-} # where /proc, /sys and /etc are: a machine on paper, for tests
PATH="$PATH:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/sbin:/sbin"

have() { command -v "$1" >/dev/null 2>&1; }
# A driver that hangs must not hold up the rest.
limited() { if have timeout; then timeout 10 "$@"; else "$@"; fi; }
lack() { printf '{"missing":"%s"}\n' "$1"; }
json='function q(s){s=substr(s,1,200);gsub(/\\/,"&&",s);gsub(/"/,"\\\"",s);gsub(/[\001-\037\177]/," ",s);return "\"" s "\""}
function n(s){gsub(/[ \t]/,"",s);return s ~ /^-?[0-9]+(\.[0-9]+)?$/ ? s+0 : "null"}'

ticks() { awk '/^cpu /{t=0;for(i=2;i<=9;i++)t+=$i;print t,$5+$6;exit}' "$R/proc/stat" 2>/dev/null; }
links() { awk -F: 'NR>2{gsub(/ /,"",$1);split($2,f," ");if($1!="lo")print $1,f[1],f[9]}' "$R/proc/net/dev" 2>/dev/null; }

ticks0=$(ticks)
links0=$(links)
began=$(awk '{print $1}' "$R/proc/uptime" 2>/dev/null)
sleep 1
ticks1=$(ticks)
links1=$(links)
ended=$(awk '{print $1}' "$R/proc/uptime" 2>/dev/null)

name=$(. "$R/etc/os-release" 2>/dev/null && printf '%s' "${PRETTY_NAME:-}")
printf '%s\n' "$name" | awk -v a="$ticks0" -v b="$ticks1" -v up="$ended" -v r="$R" "$json"'
function mem(key,  l,f,v){v="null";while((getline l < (r "/proc/meminfo"))>0){split(l,f," ");if(f[1]==key":")v=f[2]*1024};close(r "/proc/meminfo");return v}
{
  split(a,x," ");split(b,y," ")
  busy="null";if(x[1]!=""&&y[1]-x[1]>0)busy=sprintf("%.1f",100*(1-(y[2]-x[2])/(y[1]-x[1])))
  cpus=0;while((getline l < (r "/proc/cpuinfo"))>0)if(l ~ /^processor[ \t]*:/)cpus++
  load="null";if((getline l < (r "/proc/loadavg"))>0){split(l,f," ");load=n(f[1])}
  total=mem("MemTotal");left=mem("MemAvailable")
  if(total!="null")total=sprintf("%.0f",total)
  if(left!="null")left=sprintf("%.0f",left)
  printf "{\"v\":1,\"system\":%s,\"uptime_s\":%s,\"cpus\":%s,\"load\":%s,\"cpu_percent\":%s,\"memory_total_bytes\":%s,\"memory_available_bytes\":%s}\n",
    ($0==""?"null":q($0)),(up==""?"null":n(up)),(cpus?cpus:"null"),load,busy,total,left
}'

nvidia=0
for vendor in "$R"/sys/bus/pci/devices/*/vendor; do
  [ -r "$vendor" ] || continue
  read -r found <"$vendor"
  if [ "$found" = 0x10de ]; then nvidia=1; fi
done
if have nvidia-smi; then
  if listed=$(limited nvidia-smi --query-gpu=index,uuid,name,utilization.gpu,memory.used,memory.total,power.draw,power.limit,temperature.gpu --format=csv,noheader,nounits 2>/dev/null); then
    printf '%s\n' "$listed" | awk -F', *' "$json"'
    NF>=9{g=g (g==""?"":",") sprintf("{\"index\":%s,\"uuid\":%s,\"name\":%s,\"utilization_percent\":%s,\"memory_used_mib\":%s,\"memory_total_mib\":%s,\"power_w\":%s,\"power_limit_w\":%s,\"temperature_c\":%s}",n($1),q($2),q($3),n($4),n($5),n($6),n($7),n($8),n($9))}
    END{printf "{\"gpus\":[%s]}\n",g}'
    if listed=$(limited nvidia-smi --query-compute-apps=gpu_uuid,pid,process_name,used_memory --format=csv,noheader,nounits 2>/dev/null); then
      # A name may hold commas: the first two fields and the last one are plain, the rest is the name.
      printf '%s\n' "$listed" | awk -F', *' "$json"'
      NF>=4&&c<64{c++;name=$3;for(i=4;i<NF;i++)name=name ", " $i
        p=p (p==""?"":",") sprintf("{\"gpu\":%s,\"pid\":%s,\"name\":%s,\"memory_mib\":%s}",q($1),n($2),q(name),n($NF))}
      END{printf "{\"gpu_processes\":[%s]}\n",p}'
    else lack "GPU processes: nvidia-smi failed"; fi
  else lack "GPUs: nvidia-smi failed"; fi
elif [ "$nvidia" = 1 ]; then lack "GPUs: there is an NVIDIA device, but no nvidia-smi"
elif [ -d "$R/sys/bus/pci/devices" ]; then printf '{"gpus":[]}\n{"gpu_processes":[]}\n'
else lack "GPUs: no nvidia-smi, and the devices cannot be listed"; fi

workers=
if have ps; then workers=$(ps -eo args 2>/dev/null | awk '$1 ~ /ssm-session-worker$/{print $2}'); fi
if have who; then
  { who -u 2>/dev/null; printf '%s\n' "$workers" | awk 'NF{print "ssm-user ssm - - ? 0 (" $1 ")"}'; } | awk "$json"'
  NF>=3&&c<32{c++;host="";last=NF;if($NF ~ /^\(.*\)$/){host=substr($NF,2,length($NF)-2);last=NF-1}
    i=$(last-1);idle="null";if(i==".")idle=0;else if(i=="old")idle=86400;else if(split(i,h,":")==2&&i ~ /^[0-9]+:[0-9]+$/)idle=h[1]*3600+h[2]*60
    s=s (s==""?"":",") sprintf("{\"user\":%s,\"terminal\":%s,\"host\":%s,\"idle_s\":%s}",q($1),q($2),q(host),idle)}
  END{printf "{\"sessions\":[%s]}\n",s}'
else lack "login sessions: no who"; fi

if listed=$(df -P -k 2>/dev/null) || [ -n "$listed" ]; then
  printf '%s\n' "$listed" | awk "$json"'
  NR>1&&$1 ~ /^\//&&c<40{c++;m=$6;for(i=7;i<=NF;i++)m=m " " $i
    d=d (d==""?"":",") sprintf("{\"device\":%s,\"mount\":%s,\"total_bytes\":%.0f,\"used_bytes\":%.0f}",q($1),q(m),$2*1024,$3*1024)}
  END{printf "{\"disks\":[%s]}\n",d}'
else lack "disks: no df"; fi

if [ -n "$links1" ]; then
  printf '%s\n\n%s\n' "$links0" "$links1" | awk -v a="$began" -v b="$ended" "$json"'
  NF==0{second=1;next}
  !second{r[$1]=$2;s[$1]=$3;next}
  {t=b-a;rr=ss="null";if(t>0&&($1 in r)){rr=sprintf("%.1f",($2-r[$1])/t);ss=sprintf("%.1f",($3-s[$1])/t)}
    l=l (l==""?"":",") sprintf("{\"name\":%s,\"received_bytes\":%s,\"sent_bytes\":%s,\"received_per_s\":%s,\"sent_per_s\":%s}",q($1),$2,$3,rr,ss)}
  END{printf "{\"network\":[%s]}\n",l}'
else lack "network: no /proc/net/dev"; fi

if have ps && listed=$(ps -eo pid=,user=,pcpu=,pmem=,args= 2>/dev/null); then
  printf '%s\n' "$listed" | sort -k3,3nr -k4,4nr | awk "$json"'
  NF>=5&&c<12{a=$5;for(i=6;i<=NF;i++)a=a " " $i
    if(a ~ /^(ps -eo|sort -k3|awk )/)next
    c++;p=p (p==""?"":",") sprintf("{\"pid\":%s,\"user\":%s,\"cpu_percent\":%s,\"memory_percent\":%s,\"command\":%s}",n($1),q($2),n($3),n($4),q(a))}
  END{printf "{\"processes\":[%s]}\n",p}'
else lack "processes: no ps"; fi
printf '{"end":true}\n'
