# shellcheck shell=sh
if in_group backends; then
  for app in $APPS; do
    check "$app runs" "see journalctl -u halo@$app" systemctl is-active "halo@$app"
    # The gate's line has the reason; an app's last log lines may follow it.
    said=$(halo-release "$app" check 2>&1) && ready=true || ready=false
    reason=$(echo "$said" | grep -m 1 'did not become ready' || echo "$said" | tail -n 1)
    title="$app: release $(cat "/opt/halo/apps/$app/current/RELEASE" 2>/dev/null) is ready"
    if $ready; then echo "ok|$title"; else echo "WRONG|$title|${reason%%. Fix: *}. Fix: npm run diagnose, or see journalctl -u halo@$app; $AGAIN"; fi
  done
  for timer in $CRON_TIMERS; do check "$timer waits for its due time" "$AGAIN" systemctl is-active "$timer"; done
  for file in /etc/systemd/system/halo@*.service; do
    name=$(basename "${file#*@}" .service)
    case " $APPS * " in
      *" $name "*) ;;
      *) echo "note|$name runs here, and is no app of this host in apps.yml|Fix: in ansible/: ansible-playbook site.yml -e app_removed=$name" ;;
    esac
  done
fi
