# Completion of m2sh for PowerShell: put `m2sh completions powershell | Out-String | Invoke-Expression` into $PROFILE.

Register-ArgumentCompleter -Native -CommandName m2sh -ScriptBlock {
    param($begun, $line, $position)
    $words = @($line.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -le $position } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { "$_" } })
    if ($begun -eq '') { $words += '' }
    & m2sh complete powershell -- @words 2>$null | ForEach-Object {
        $text = if ($_ -match '[^\w%+,./:=@-]') { "'" + $_.Replace("'", "''") + "'" } else { $_ }
        [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
    }
}
